document.querySelectorAll("table.sortable").forEach(function (table) {
  var body = table.tBodies[0], box = table.parentNode;
  table.querySelectorAll("thead th").forEach(function (head, column) {
    var button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    head.textContent = "";
    head.appendChild(button);
    button.addEventListener("click", function () {
      var down = head.getAttribute("aria-sort") !== "descending";
      table.querySelectorAll("th").forEach(function (other) { other.removeAttribute("aria-sort"); });
      head.setAttribute("aria-sort", down ? "descending" : "ascending");
      function key(row) {
        var cell = row.cells[column], text = cell.dataset.value || cell.textContent.trim();
        var number = parseFloat(text.replace(/,/g, "").replace("\u2212", "-"));
        return isNaN(number) || !(cell.dataset.value || cell.classList.contains("num")) ? text.toLowerCase() : number;
      }
      Array.from(body.rows)
        .map(function (row) { return [key(row), row]; })
        .sort(function (a, b) { return (a[0] < b[0] ? -1 : a[0] > b[0] ? 1 : 0) * (down ? -1 : 1); })
        .forEach(function (pair) { body.appendChild(pair[1]); });
    });
  });
  if (body.rows.length < 12) { return; }
  var label = document.createElement("label"), input = document.createElement("input");
  var shown = document.createElement("span");
  label.className = "filter";
  input.type = "search";
  shown.setAttribute("role", "status");
  label.append("Filter ", input, shown);
  box.parentNode.insertBefore(label, box);
  input.addEventListener("input", function () {
    var wanted = input.value.toLowerCase(), kept = 0;
    Array.from(body.rows).forEach(function (row) {
      row.hidden = row.textContent.toLowerCase().indexOf(wanted) < 0;
      kept += row.hidden ? 0 : 1;
    });
    shown.textContent = wanted ? kept + " of " + body.rows.length : "";
  });
});
