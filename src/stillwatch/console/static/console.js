// Live figures: the server says when something changed, and the page is fetched anew where nobody is in the middle of
// something. Without this script every page reads the same and every form works.
(function () {
  var seen = document.body.dataset.stamp, source = null;

  function page() { return document.getElementById("content"); }

  function busy() {
    var main = page();
    if (!main || document.hidden) { return true; }
    var fields = main.querySelectorAll("input, textarea, select");
    for (var i = 0; i < fields.length; i++) {
      var field = fields[i];
      if (field === document.activeElement) { return true; }
      if (field.type !== "hidden" && "defaultValue" in field && field.value !== field.defaultValue) { return true; }
    }
    return main.contains(document.activeElement) && document.activeElement !== main
      || main.querySelector("details[open]") !== null || String(window.getSelection()) !== "" || window.scrollY > 400;
  }

  function renew(stamp) {
    if (stamp === seen) { return; }
    if (busy()) { document.getElementById("news").hidden = false; return; }
    seen = stamp;
    document.getElementById("news").hidden = true;
    htmx.trigger(page(), "renew");
  }

  function listen() {
    if (!seen || source) { return; }
    source = new EventSource("/live");
    source.addEventListener("stamp", function (event) { renew(event.data); });
    source.addEventListener("ended", function () { source.close(); window.location.reload(); });
  }

  function rest() { if (source) { source.close(); source = null; } }

  document.addEventListener("visibilitychange", function () { if (document.hidden) { rest(); } else { listen(); } });
  window.addEventListener("pagehide", rest);
  window.addEventListener("pageshow", listen);
  document.addEventListener("keydown", function (event) {
    var menu = document.getElementById("menu");
    if (event.key === "Escape" && menu && menu.open) { menu.open = false; menu.querySelector("summary").focus(); }
  });
  // A second click on the way must not decide twice.
  document.addEventListener("submit", function (event) {
    var form = event.target;
    if (form.dataset.sent) { event.preventDefault(); return; }
    form.dataset.sent = "1";
    window.setTimeout(function () { delete form.dataset.sent; }, 4000);
  });
})();
