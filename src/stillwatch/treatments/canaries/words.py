"""Words by which a request or an answer is known to be no place for a canary. Only data, all lower-case.

Wide on purpose: a word too many costs a canary, a word too few could cost somebody who relies on the answer.
"""

from typing import Final


def _set(*lines: str) -> frozenset[str]:
    return frozenset(" ".join(lines).split())


STRUCTURED: Final = _set(
    "json xml yaml yml toml csv tsv sql html css markdown latex regex regexp schema schemas parse parser parsed",
    "serialize format formatted code codes coding codebase program programs programming programmer script scripts",
    "function functions method methods class-based api apis endpoint endpoints python javascript typescript java",
    "rust golang kotlin swift php ruby perl bash shell powershell terminal cli docker kubernetes linux unix git",
    "github compile compiler compiled debug debugger debugging algorithm algorithms pseudocode variable variables",
    "array arrays loop loops struct syntax query queries database databases table-valued spreadsheet excel formula",
    "macro macros software server servers browser url urls config configuration template templates field fields",
    "key-value tuple dictionary boolean string strings integer integers pytest unittest npm pip import async await",
    "lambda regexes react django flask numpy pandas pytorch tensorflow opcode assembly firmware arduino verilog",
    "exploit payload",
)
"""What is executed or read by a program."""

SENSITIVE: Final = _set(
    # health
    "medical medicine medicines medication drug drugs dose doses dosage dosing mg mcg milligram doctor doctors",
    "physician nurse nurses hospital clinic patient patients symptom symptoms diagnosis diagnose diagnosed disease",
    "diseases illness ill sick sickness pain ache therapy therapist treatment treatments surgery surgeon cancer",
    "tumor tumour diabetes insulin blood pressure heart stroke infection virus vaccine vaccines vaccination",
    "antibiotic antibiotics pregnancy pregnant fetus allergy allergic asthma depression depressed anxiety suicide",
    "suicidal psychiatric psychologist mental health healthy injury injured wound fever flu covid pharmacy",
    "pharmacist prescription prescribe overdose addiction toxic poison poisonous calorie calories diet weight bmi",
    "nutrition supplement supplements vitamin first-aid cpr emergency ambulance bleeding rash dental dentist",
    "veterinary vet cholesterol kidney liver lung brain anatomy",
    "catheter wound wounds urine tissue organ organs nerve nerves cell cells enzyme hormone bone bones muscle surgical",
    "eye eyes skin sleep eat food-allergy child-proof baby infant elderly disabled disability drown drowning swallow",
    # law
    "law laws legal legally lawyer lawyers attorney court courts judge judges jury sue sued lawsuit litigation",
    "plaintiff defendant contract contracts clause clauses liability liable statute statutes regulation regulations",
    "regulatory compliance gdpr copyright patent patents trademark crime criminal police arrest arrested prison",
    "jail sentence-law guilty innocent divorce custody alimony inheritance testament probate visa immigration",
    "asylum citizenship tenant landlord lease eviction rights constitution constitutional treaty affidavit subpoena",
    "notary nda license licence",
    # money
    "finance financial invest investing investment investments investor stock stocks bond bonds share-price etf",
    "fund funds portfolio dividend crypto cryptocurrency bitcoin trading trader loan loans mortgage mortgages debt",
    "debts credit bank banks banking interest rate rates tax taxes taxation irs vat audit accounting accountant",
    "salary wage wages payroll pension retirement insurance insured premium budget budgeting money dollar dollars",
    "euro euros cash price prices cost costs payment payments invoice refund economy economic inflation currency",
    "exchange bankruptcy savings income profit",
    # safety, weapons, chemistry at home
    "weapon weapons gun guns bomb explosive explosives chemical chemicals voltage electrical wiring gas safety",
    "dangerous hazard hazardous aviation pilot engineering structural load-bearing",
)
"""What bears on health, law, money or safety."""

EXACT: Final = _set(
    "exactly verbatim translate translation translated transcribe transcription quote quotes quoted quotation cite",
    "citation citations summarize summarise summary rewrite rephrase paraphrase proofread edit correct correction",
    "extract classify classification label sentiment copy repeat convert fix true false fact facts factual accurate",
    "accurately real actual historical history biography president king queen minister author born died inventor",
    "date year verify check benchmark exam quiz multiple-choice correct answer answers evaluate grade score",
)
"""What works on the caller's own text, or asks for facts."""

CUES: Final = _set(
    "write give make create compose invent imagine story tale example scenario illustrate email letter dialogue name",
    "list suggest tell describe plan",
)
"""Words with which something made up is asked for."""

MADE_UP: Final = _set(
    "example examples problem problems exercise exercises puzzle puzzles riddle riddles worksheet illustrate",
    "illustration story stories tale tales fiction fictional fairy imagine invent invented pretend scenario scenarios",
)
"""Without one of these a number is somebody's, not one of a worked example."""

REAL: Final = _set(
    "famous celebrity celebrities legendary renowned historic popular current today nowadays record records winner",
    "winners won discovered wrote painted composed founded founder leader members bands artists singers authors",
    "players athletes champion champions",
)
"""What people say of those who exist: a name made up beside them could be taken for one of theirs."""

PROBING: Final = _set(
    "instruction instructions prompt prompts system rule rules guideline guidelines ignore previous above told hidden",
    "secret reveal watermark canary conversation context initial",
)
"""Words of a caller who may be asking what the system prompt says."""

NUMBERS: Final = _set(
    "two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen sixteen seventeen",
    "eighteen nineteen twenty thirty forty fifty sixty seventy eighty ninety hundred thousand million dozen half",
    "third quarter",
)
"""Numbers that a caller gives in words."""

ORDERED: Final = _set(
    "order ordered ordering rank ranks ranked ranking sort sorted alphabetical alphabetically chronological",
    "sequence step steps stepwise priority priorities prioritize prioritise top best worst most least first last",
    "next then before after favorite favourite popular common important compare versus vs",
)
"""Words after which order means something."""

ENGLISH: Final = _set(
    "the a an of to and in on for with is are was be me my you your it this that i we us our can could would should",
    "how what why when where write make give tell show explain please about some any one from at by as do does or",
    "not if have has let short simple up out into between their his her they them there which create describe",
)
"""Words that English questions are made of."""
