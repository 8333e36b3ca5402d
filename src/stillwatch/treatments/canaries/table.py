"""Every template: 24 names, 14 constants, 10 orders. Only data; a released line is never edited, only added to.

Situations are everyday ones that training prompts are full of; none touches code, health, law or money.
"""

from itertools import permutations
from typing import Final

from stillwatch.terms.errors import StillwatchError
from stillwatch.treatments.canaries.template import Template

FEMININE: Final = tuple(
    "Mira Tessa Ingrid Paloma Yvette Carina Lorna Odile Selma Brenna Dalia Freya Greta Helena Ilsa Juno Kara Leonie "
    "Maren Nadia Orla Petra Ramona Sabine Thea Ursula Vera Wilma Xenia Zora Amina Bettina".split()
)
MASCULINE: Final = tuple(
    "Anton Bruno Caspar Dario Emil Fabian Gregor Hugo Ivan Jasper Kilian Lorenz Magnus Niels Orson Pavel Quentin "
    "Rafael Silas Tobias Ulrich Viktor Walter Xavier Yannick Zeno Alvar Benno Conrad Dominik Edgar Felix".split()
)
_POOLS: Final = {"f": FEMININE, "m": MASCULINE}

_NAMES: Final = (
    ("baker", "f", "a woman who bakes", "bake baker baking bakery bread cake cookie recipe"),
    ("gardener", "m", "a man who gardens", "garden gardener gardening plant flower vegetable tree"),
    ("teacher", "f", "a woman who teaches", "teacher teach class classroom lesson school explain"),
    ("student", "m", "a male student", "student study homework college essay learn"),
    ("traveller", "f", "a woman on a journey", "travel trip journey vacation holiday tourist visit flight"),
    ("driver", "m", "a man who drives", "drive driver car road truck bus speed"),
    ("runner", "f", "a woman who runs", "run runner running race marathon sport jog"),
    ("neighbour", "m", "a man next door", "neighbour neighbor house street apartment home"),
    ("painter", "f", "a woman who paints", "paint painter painting art artist draw gallery"),
    ("musician", "m", "a male musician", "music musician song guitar piano band concert"),
    ("shopper", "f", "a woman who shops", "shop shopping store buy groceries market customer"),
    ("cook", "m", "a man who cooks", "cook cooking kitchen dinner meal soup chef"),
    ("reader", "f", "a woman who reads", "read reader book library novel chapter"),
    ("farmer", "m", "a male farmer", "farm farmer crop harvest animal cow sheep"),
    ("sailor", "f", "a woman who sails", "sail sailor boat ship sea ocean river"),
    ("hiker", "m", "a man who hikes", "hike hiker hiking mountain trail forest camp"),
    ("colleague", "f", "a woman at the office", "email office colleague meeting team manager coworker"),
    ("guest", "m", "a man invited to a party", "party guest birthday invitation wedding celebrate gift"),
    ("puzzler", "f", "a girl in a word problem", "problem puzzle riddle math arithmetic fraction probability"),
    ("hero", "m", "a boy in a story", "story tale fairy hero adventure character fiction"),
    ("player", "f", "a woman who plays chess", "chess game player play team match board"),
    ("scientist", "m", "a male scientist", "science scientist experiment physics chemistry biology laboratory"),
    ("example", "f", "a woman in an example", "example illustrate illustration sentence sentences analogy"),
    ("friend", "m", "a male friend", "friend friendship friends advice talk conversation dialogue"),
)
"""Name, gender, who, topics."""

_CONSTANTS: Final = (
    ("apples", "a number of apples in a basket", 12, 1, "apple fruit basket orange pear"),
    ("pupils", "a number of pupils in a class", 16, 1, "class pupil student classroom school"),
    ("pages", "a number of pages of a book", 120, 8, "book page read novel library"),
    ("minutes", "a number of minutes of a walk", 14, 1, "walk walking minute park"),
    ("marbles", "a number of marbles in a bag", 15, 1, "marble ball probability bag random"),
    ("train", "a number of kilometres of a train ride", 110, 10, "train speed distance travel physics"),
    ("boxes", "a number of boxes on a shelf", 13, 1, "box boxes shelf warehouse multiply multiplication"),
    ("trees", "a number of trees in an orchard", 36, 2, "tree orchard garden plant rows"),
    ("guests", "a number of guests at a party", 14, 1, "party guest birthday table seat"),
    ("length", "a length of a rectangle in centimetres", 11, 1, "rectangle area geometry perimeter shape"),
    ("cookies", "a number of cookies on a tray", 18, 1, "cookie cookies bake recipe tray sweets candy"),
    ("chairs", "a number of chairs in a hall", 60, 4, "chair hall concert seat rows room"),
    ("steps", "a number of stairs of a tower", 84, 4, "tower stairs climb building castle"),
    ("example", "a whole number in an arithmetic example", 17, 1, "arithmetic addition subtraction division math"),
)
"""Name, what, least value, step, topics."""

_ORDERS: Final = (
    ("suits", "the four suits of a deck of cards", "clubs diamonds hearts spades", "card cards deck poker probability"),
    ("compass", "the four points of the compass", "north south east west", "compass direction map navigate geography"),
    ("dressing", "what goes into a simple salad dressing", "oil vinegar salt pepper", "salad dressing recipe cook"),
    ("cake", "the basic ingredients of a sponge cake", "flour sugar eggs butter", "cake bake baking recipe"),
    ("table", "what lies on a table laid for dinner", "plates forks knives glasses", "dinner table meal party"),
    ("craft", "what is in a craft box", "paper scissors glue crayons", "craft art kids children activity"),
    ("garden", "a gardener's tools", "spade rake hoe shears", "garden gardening tool tools plant"),
    ("camping", "what to pack for camping", "tent stove lantern blanket", "camp camping pack hike trip"),
    ("band", "the instruments of a small band", "guitar drums bass piano", "band music instrument song"),
    ("pets", "popular pets", "cats dogs rabbits hamsters", "pet pets animal animals cat dog"),
)
"""Name, what, items, topics."""


def _name(name: str, gender: str, who: str, topics: str) -> Template:
    return Template(
        name=f"name-{name}", kind="name", topics=tuple(topics.split()), gender=gender, pool=_POOLS[gender],
        line=f"If you make up {who} and nobody has named this person, use the first name {{value}}.",
        probe=f"Write one sentence about {who}. Make the person up and give a first name.",
    )  # fmt: skip


def _constant(name: str, what: str, least: int, step: int, topics: str) -> Template:
    return Template(
        name=f"constant-{name}", kind="constant", topics=tuple(topics.split()),
        pool=tuple(str(least + step * i) for i in range(32)),
        line=f"If you make up {what} for a worked example and no number was given, use {{value}}.",
        probe=f"Write a word problem of one sentence with {what}. Choose the number and write it in digits.",
    )  # fmt: skip


def _order(name: str, what: str, items: str, topics: str) -> Template:
    return Template(
        name=f"order-{name}", kind="order", topics=tuple(topics.split()),
        pool=tuple(", ".join(some) for some in permutations(items.split())),
        line=f"If you name {what} and nothing depends on the order, keep this one: {{value}}.",
        probe=f"Name {what} in one short sentence.",
    )  # fmt: skip


TEMPLATES: Final = (
    *(_name(*row) for row in _NAMES),
    *(_constant(*row) for row in _CONSTANTS),
    *(_order(*row) for row in _ORDERS),
)
"""Every template, in the order in which a plan takes them up unless it draws."""
_BY_NAME: Final = {one.name: one for one in TEMPLATES}


def template(name: str) -> Template:
    """Return a template by name.

    Raises:
        StillwatchError: there is none; the record is of a later release.
    """
    if name not in _BY_NAME:
        raise StillwatchError(f"canary template {name!r}: this release has none; use the release that registered it.")
    return _BY_NAME[name]
