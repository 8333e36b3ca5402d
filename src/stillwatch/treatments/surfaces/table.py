"""The surface variants: pairs of wordings that say the same wherever they stand, and where that is so.

In: nothing. Out: `ROWS`, data. A row is used in both directions, so both wordings must be good English wherever its
conditions hold. Contractions bend word order and register: their rows name the words they may stand beside, and are
used only in texts that contract already (see `sites`). A wording that proved wrong in a sample is taken out: rows that
were tried and dropped, with the reason, stand in docs/explain/surface-mark.md.
Changing a row changes what older text reads as: give the new one another name.
"""

from dataclasses import dataclass
from typing import Final

Words = frozenset[str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """Two wordings, and the words around them under which they are interchangeable."""

    name: str
    """Names the row in keys: stable for ever."""
    pair: tuple[tuple[str, ...], tuple[str, ...]]
    """The wordings as lower-case words with straight apostrophes; number 0 and number 1."""
    contraction: bool = False
    """Only in texts that contract already."""
    comma: bool = False
    """Only before a comma."""
    start: bool = False
    """Only at the start of a sentence."""
    clause: bool = False
    """Only at the start of a sentence or after a comma."""
    word: bool = False
    """Only where another word follows after one space."""
    adjacent: bool = False
    """Only where another word stands before, after one space."""
    prev: Words = frozenset()
    """Only after one of these words; empty: any."""
    not_prev: Words = frozenset()
    following: Words = frozenset()
    """Only before one of these words; empty: any."""
    not_following: Words = frozenset()
    digit: bool = False
    """Only before a digit."""


def _set(text: str) -> Words:
    return frozenset(text.split())


def _two(first: str, second: str) -> tuple[tuple[str, ...], tuple[str, ...]]:
    return tuple(first.split()), tuple(second.split())


_PRONOUNS: Final = _set("i you he she it we they")
_ASKING: Final = _set("why how when where what who whom whose which and or but nor as than so if whether is are was "
                      "were do does did has have had will would could should can must")  # fmt: skip
"""A verb behind one of these may ask, or stand in for more: it is left alone."""
_INVERTED: Final = _PRONOUNS | _set("this that these those there the a an anyone everyone someone anybody everybody "
                                    "somebody people any all my your his her its our their one i'm i'll i've i'd it's "
                                    "that's you're you'll you've you'd we're we'll we've we'd they're they'll they've "
                                    "they'd")  # fmt: skip
"""Where one of these follows, the verb may be asking."""
_NOMINAL: Final = _set("a an the")
_DESCRIBED: Final = _set("important essential crucial vital necessary possible impossible worth recommended likely "
                         "unlikely difficult easy easier hard harder helpful useful clear best better good great "
                         "common normal okay fine safe unclear critical advisable")  # fmt: skip
_DOING: Final = _set(
    "looking using trying going working planning interested unsure sure able unable ready new "
    "creating considering willing likely facing having getting running building writing dealing"
)
_MOSTLY: Final = _set("also often usually used made known considered able likely typically generally designed based "
                     "frequently mainly "
                      "essential important primarily commonly easy easier")  # fmt: skip
_WILL: Final = _set("need be find see also want get learn probably likely never always begin start receive notice "
                    "still use help take")  # fmt: skip
_HAVE: Final = _set("been already never made learned found included provided received completed had seen created done")


_HELPED: Final = _set("reduce improve create identify prevent build keep maintain protect increase promote avoid "
                      "support develop determine understand provide manage explain clarify strengthen alleviate "
                      "boost foster establish achieve mitigate relieve lower regulate control")  # fmt: skip


def _negated(name: str, full: str, short: str, *, imperative: bool = False) -> Row:
    asking = _ASKING - _set("and or but so if") if imperative else _ASKING
    return Row(
        name=name, pair=_two(full, short), contraction=True, word=True, adjacent=not imperative, not_prev=asking,
        not_following=_INVERTED,
    )  # fmt: skip


def _joined(full: str, short: str, following: Words, not_prev: Words) -> Row:
    return Row(
        name=full.replace(" ", "-"), pair=_two(full, short), contraction=True, word=True, following=following,
        not_prev=not_prev,
    )  # fmt: skip


CONTRACTIONS: Final = (
    _negated("do-not", "do not", "don't", imperative=True),
    *(_negated(f"{verb}-not", f"{verb} not", f"{verb}n't") for verb in (
        "does", "did", "is", "are", "was", "were", "has", "have", "had", "would", "could", "should")),
    _negated("will-not", "will not", "won't"),
    _negated("cannot", "cannot", "can't"),
    _joined("it is", "it's", _NOMINAL | _DESCRIBED, not_prev=_set("what how as than where who whatever")),
    _joined("that is", "that's", _set("a an why how where when"), not_prev=_set("this so and or sure ensure ensures "
            "ensuring #make-sure #makes-sure #making-sure")),
    _joined("you are", "you're", _DOING, not_prev=_set("what who where how as than whoever wherever")),
    _joined("we are", "we're", _DOING, not_prev=_set("what who where how as than")),
    _joined("they are", "they're", _DOING | _MOSTLY, not_prev=_set("what who where how as than")),
    _joined("i am", "i'm", _set("a an not sorry happy glad sure unable able looking going trying working writing "
                                "interested excited confident here very"), not_prev=_set("what who where how as than")),
    *(_joined(f"{who} will", f"{who}'ll", _WILL, not_prev=_set("what as than")) for who in ("i", "you", "we", "they")),
    *(_joined(f"{who} have", f"{who}'ve", _HAVE, not_prev=_set("as than")) for who in ("i", "you", "we", "they")),
    *(_joined(f"{who} would", f"{who}'d", _set("like love be recommend suggest appreciate need"),
              not_prev=_set("as than what")) for who in ("i", "you", "we", "they")),
)  # fmt: skip
"""Full form and contraction."""

CONNECTIVES: Final = (
    Row(name="for-example", pair=_two("for example", "for instance"), comma=True),
    Row(name="in-addition", pair=_two("in addition", "additionally"), comma=True, start=True),
    Row(name="therefore", pair=_two("therefore", "thus"), comma=True, start=True),
    Row(name="as-a-result", pair=_two("as a result", "consequently"), comma=True, start=True),
    Row(name="furthermore", pair=_two("furthermore", "moreover"), comma=True, start=True),
    Row(name="in-conclusion", pair=_two("in conclusion", "to conclude"), comma=True, start=True),
    Row(name="in-general", pair=_two("in general", "generally"), comma=True, start=True),
    Row(name="in-contrast", pair=_two("in contrast", "by contrast"), comma=True, start=True),
    Row(name="in-summary", pair=_two("in summary", "to summarize"), comma=True, start=True),
    Row(name="similarly", pair=_two("similarly", "likewise"), comma=True, start=True),
    Row(name="nevertheless", pair=_two("nevertheless", "nonetheless"), comma=True, start=True),
    *(Row(name=f"{ordinal}ly", pair=((ordinal,), (f"{ordinal}ly",)), comma=True, start=True)
      for ordinal in ("first", "second", "third")),
    Row(name="which-means-that", pair=_two("which means that", "meaning that"), clause=True, word=True),
    Row(name="especially", pair=_two("especially", "particularly"), clause=True, following=_set("when if in for those "
        "with since as during on at among where")),
    Row(name="although", pair=_two("although", "though"), clause=True, word=True),
    Row(name="perhaps", pair=_two("perhaps", "maybe"), word=True, not_prev=_set("a the")),
    Row(name="despite", pair=_two("despite", "in spite of"), word=True),
    Row(name="because-of", pair=_two("because of", "due to"), following=_set("the a an their its his her our your this "
        "these"), not_prev=_set("is are was were be payment amount money taxes rent respect just simply only partly "
        "precisely not and or")),
)  # fmt: skip
"""Words that join sentences and clauses."""

WORDS: Final = (
    *(Row(name=f"{some}one", pair=((f"{some}one",), (f"{some}body",)), not_prev=_set("a an the dear"))
      for some in ("some", "every", "any")),
    Row(name="each-other", pair=_two("each other", "one another")),
    Row(name="toward", pair=_two("toward", "towards"), word=True),
    Row(name="afterward", pair=_two("afterward", "afterwards")),
    Row(name="make-sure", pair=_two("make sure", "ensure"), following=_set("that"), not_prev=_set("not")),
    Row(name="making-sure", pair=_two("making sure", "ensuring"), following=_set("that")),
    Row(name="makes-sure", pair=_two("makes sure", "ensures"), following=_set("that")),
    Row(name="keep-in-mind", pair=_two("keep in mind", "bear in mind")),
    Row(name="note-that", pair=_two("important to note that", "worth noting that"),
        prev=_set("is it's also #it-is")),
    Row(name="into-account", pair=_two("into account", "into consideration"), prev=_set("take takes taking taken")),
    Row(name="crucial", pair=_two("crucial", "vital"), following=_set("to that for in role part component step "
        "aspect")),
    Row(name="wide-range", pair=_two("wide variety of", "wide range of"), prev=_set("a"), word=True,
        not_following=_set("temperatures values frequencies ages prices possible")),
    Row(name="begin-by", pair=_two("begin by", "start by"), word=True),
    Row(name="number-of", pair=_two("a number of", "several"), word=True,
        not_prev=_set("the these those his her my our your their last past next first other all over after only and"),
        not_following=_set("of hundred thousand million billion dozen more other others times drops seconds minutes "
                           "hours days weeks months years decades inches feet miles cups")),
    Row(name="often", pair=_two("often", "frequently"), prev=_set("is are was were"), word=True,
        not_following=_set("the a an as enough")),
    Row(name="typically", pair=_two("typically", "usually"), word=True, not_following=_set("the as")),
    Row(name="mainly", pair=_two("primarily", "mainly"), word=True),
    Row(name="may", pair=_two("may", "might"), following=_set("want need seem vary experience feel find result "
        "cause lead help require prefer notice become appear")),
    Row(name="can-help", pair=_two("help to", "help"), prev=_set("can could will would may might should also"),
        following=_HELPED),
    Row(name="helps", pair=_two("helps to", "helps"), following=_HELPED),
    Row(name="a-bit", pair=_two("a bit", "a little"), following=_set("more less different too better harder easier "
        "longer tricky confusing")),
    Row(name="amid", pair=_two("amid", "amidst"), word=True),
    Row(name="kind-of", pair=_two("kind of", "sort of"), word=True, prev=_set("this that some any what every")),
    Row(name="almost", pair=_two("almost", "nearly"), not_prev=_set("not so very"),
        following=_set("all every always half identical impossible")),
    Row(name="approximately", pair=_two("approximately", "roughly"), digit=True),
)  # fmt: skip
"""Single words and fixed phrases."""

ROWS: Final = (*CONTRACTIONS, *CONNECTIVES, *WORDS)
"""Every row."""

ENGLISH: Final = _set(
    "the and that with are this you be have not can from which your if these they their has but "
    "there would about how when more what who our should could been its such them into than then"
)
"""Frequent words of English that its neighbours do not share; by them it is known, and other text is left alone."""
