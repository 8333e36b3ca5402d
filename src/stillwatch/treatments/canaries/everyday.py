"""Words that everyday requests are made of, by which a technical one is told: its own words are not among them.

In: nothing. Out: `EVERYDAY`, and `stem`, under which words are compared. The words are those that are frequent in the
packaged sample of honest prompts, without names and without what bears on code, health, law or money.
"""

from typing import Final

_ENDINGS: Final = ("ing", "ies", "ed", "es", "s", "ly", "er", "d", "y", "e")


def stem(word: str) -> str:
    """Return a lower-case word without its ending, roughly.

    >>> stem("baking"), stem("bake"), stem("baked"), stem("sea")
    ('bak', 'bak', 'bak', 'sea')
    """
    for ending in _ENDINGS:
        if len(word) - len(ending) >= 3 and word.endswith(ending):
            return word[: -len(ending)]
    return word


EVERYDAY: Final = frozenset(
    stem(word)
    for word in (
        "ability able aboard above according account achieve achievement across act action activity actually "
        "adapt adaptation add addition additional address addressed adopt adult advance advancement advantage "
        "adventure advice advise advisor affect afternoon again against age agent ago agree air album alien all "
        "allow allowance along already also alternate altogether always among amount analysis analyze ancient "
        "animal anime another anyone anything apartment app apple application approach appropriate architect "
        "architecture area argument arm around arrive art article artificial artist ask aspiring assign assist "
        "assistant assume astronaut ate attempt attends audience available average away back background backyard "
        "bad bag bake balance ball balloon banana bar base baseball basic basket basketball beach because become "
        "bed bedroom been begin beginner behavior behind being believe below benefit big bike bill bird birds "
        "birthday bit black block board bob body book both bottle bottom bought bowl box boy brand bread break "
        "breakfast breath brief bring brother brought brown bucket build builds built burn bus business but buy "
        "cake calculate call came camp candy cannot cans cap capability captain capture car cards career carry "
        "carton case cast cat catch category caught cause celebrate cents century certain chair challenge chance "
        "channel character characteristics characters charge checks cheese chef chicken chief child children chip "
        "chocolate choice choose circle citizen city claim class classes clean clear client close cloth club "
        "coach coffee coin collect collection color column com combine command comment communicate communication "
        "community company compared complete complex component composes compute concept concern concise condition "
        "conduct conference connect consider considered consistent constant construction consume contact contain "
        "content continue contribute control conversation convince cook count country couple course cover covers "
        "cow craft crayon cream created creation creative creature crew critic cultural culture cup cupcake "
        "curious current custom customers cut dad daily dance day deal debate decide decision deck deep define "
        "deliver delivery depends describes description design destination detail detect determine develop "
        "development device did difference different difficult dinner direct director discount discover discovery "
        "discuss discussed dish display distance distant distribute divide document dog doing don donate door "
        "double down dragon draw drink drive duck due during each ear earn earth easily easy eaten eats eco "
        "effect efficient egg either else embark empire employee encounter encounters end engage engineer enough "
        "ensure enter enters entire entity environment error escape essential establish even event ever everyone "
        "everything evidence examples except exercise expect expedition expense expensive experience expert "
        "explains explanation explore express expressed extra face factor fail fair fall familiar family famous "
        "fan fantasy far farm fascinate fast father feature fee feel feelings feet fellow female fence few "
        "fiction fictional fifth figure file fill film final find findings finds finish fire fish fit flavor "
        "flight floor flour flow flowers fly focus focuses follow foot football forest form forward found fourth "
        "friend friends fries frog fruit full fun funny further future gain galaxy gallon game garden gave "
        "general get getting ghost gift girl given gives glass goal goes going gold good google got great green "
        "grew grocery ground group grow guest guidance guide had handle hands happen hard harvest having head "
        "heads heal hear height hello help herd herself hidden high highlight him hire hit hold holds home host "
        "hour house however human humanity hunt ice idea identify image impact importance impression improve "
        "improvement inch include incorporate increase index individual influence information ingredient initial "
        "innovative inside insight inspiration inspire instead instruction interact interaction interests "
        "international interview introduce introduction invention invite involve island issue item its itself jam "
        "jar job join joke journalist journey jump just keep key kid kind kingdom kitchen knight know knowledge "
        "knowledgeable known lake land lands large lasts late latest launch lawn lay leader leaders learn leave "
        "led left leg lemon length less lesson letters level library life light like likely limit line link "
        "liters little live loads local location long look lord lost lot love low lunch magic mail main maintain "
        "major makes male man manage map marble mark market match may meal mean measure media meet member members "
        "men mention message met middle might mile milk min minute missed mission mix mom moment monday monitor "
        "month moon more morning mother movie mow much multiple museum music must myself named natural nature "
        "necklace need needs negative neighbor neighborhood never new night non normal note notice novel now "
        "number numbers observation observe off offers office often old olive once ones online only open operates "
        "opinion opportunity option orange orders organization organize other others ounce outline outside over "
        "overview own pack page paid paint pants paper paragraph parent park part pass passengers passes past "
        "path pattern pay peace peaceful peach peanut pear pen pencil people per percent percentage perfect "
        "perform performance period person personal pet phone phrase pick picture pie piece pile pirate pizza "
        "place planet planned plans plant plate play players plays plot pocket poem point pond pool position "
        "positive possible post potato potion potted pounds power powerful powers prepare present press previous "
        "principle print problem processes propose props public publish puppy purchase purpose push put quarters "
        "question quit rabbit race rain range reach reaction read reads realize really receive recent recipe "
        "recommend recommendation records red regards regular relate relationship remain remove renown rent "
        "repair replace report respond rest restaurant return rid right ring rise river road rock roll room rose "
        "round rounds route row run runner said sale sandwich saturday save saw say scene school scored sea "
        "search season seat second seconds secret section see seeds seem seen select sell send sends sent "
        "sentence separate set setting share she sheet shift ship shirt shoe shop shopper shorts shows sign since "
        "single sister sit situation size sleepy slice slow small snack soccer sock soda sold solution solve "
        "someone something son song space speak special specialized specs speech speed spell spend spends spent "
        "split square stage star start station stay stays still stone stop store strands strawberry street strong "
        "struggle student study studying style successful such sudden sugar suggestion sum summer sun sunday "
        "superhero supplies suppose sure surface table take taken talk tall tasty tea teach teachers team tells "
        "than thank themselves these thing think those thought through throughout throw thursday ticket tip tire "
        "title today together token told ton too took tool tour tourist tower town toy track traffic train travel "
        "tries trip triple truck try tuesday turn twice under understand understanding until upcoming use using "
        "usual vacation vegetable very village visit visitor wait walk wall want warm wash watch water way wear "
        "weather wedding wednesday week weekend weigh well went were whether while white who whole wildlife will "
        "win window wisdom wise without witnessed women won words wore work workers world worth writes wrong "
        "years yellow yes yet young yourself zoo "
    ).split()
)
"""Stems of everyday words."""
