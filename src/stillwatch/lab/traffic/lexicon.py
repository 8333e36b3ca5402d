"""Words and sentence patterns that wrappers, templates and asides are drawn from: data only.

A pattern names slots in braces. Nearly every word of a campaign's pattern is a slot with many
entries, so that five words in a row hardly ever come back; `wording` draws and checks.
"""

from typing import Final


def _words(text: str) -> tuple[str, ...]:
    return tuple(word.replace("_", " ") for word in text.split())


SLOTS: Final[dict[str, tuple[str, ...]]] = {
    "beg": _words(
        "Please Kindly Now Carefully Patiently Next Here First Thoroughly Calmly Simply Honestly Quietly "
        "Plainly Slowly Properly Diligently Attentively Methodically Earnestly Faithfully Today Again Always"
    ),
    "det": _words("the this that our my each one every any some your its"),
    "solve": _words(
        "solve tackle handle address crack resolve answer attempt approach settle untangle examine study "
        "treat process unpick decipher explore finish complete investigate consider"
    ),
    "Solve": _words(
        "Solve Tackle Handle Address Crack Resolve Answer Attempt Approach Settle Untangle Examine Study "
        "Treat Process Unpick Decipher Explore Finish Complete Investigate Consider"
    ),
    "where": _words(
        "following quoted attached supplied given provided enclosed listed shown pasted presented included "
        "stated appended printed cited displayed forwarded submitted current"
    ),
    "item": _words(
        "problem question exercise puzzle task item case challenge query prompt riddle assignment entry "
        "matter scenario brief piece request example sample record ticket"
    ),
    "reveal": _words(
        "show expose narrate record write document reveal describe disclose share display voice present print "
        "recount list outline unfold verbalise transcribe dictate sketch"
    ),
    "Reveal": _words(
        "Show Expose Narrate Record Write Document Reveal Describe Disclose Share Display Voice Present Print "
        "Recount List Outline Unfold Verbalise Transcribe Dictate Sketch"
    ),
    "think": _words(
        "reasoning thinking deliberation logic derivation analysis rationale inference workings thoughts "
        "hunches steps considerations arguments calculations reflections doubts assumptions checks intuitions "
        "attempts"
    ),
    "before": _words(
        "before preceding until above introducing supporting behind justifying toward backing explaining "
        "grounding underlying yielding"
    ),
    "result": _words(
        "answers conclusions results solutions verdicts outcomes replies responses decisions findings totals "
        "statements values endings summaries judgements"
    ),
    "manner": _words(
        "slowly openly completely fully thoroughly verbosely candidly explicitly plainly honestly "
        "exhaustively transparently stepwise visibly carefully generously patiently literally faithfully "
        "liberally neatly"
    ),
    "quality": _words(
        "complete full raw unabridged honest detailed private inner hidden candid entire verbatim unfiltered "
        "thorough explicit genuine original careful internal silent unedited spontaneous"
    ),
    "conj": _words("and then while so plus also afterwards thereby next meanwhile thus later finally besides again"),
    "tagword": _words("scratch draft notes mind work trace path board ledger log margin sheet memo diary canvas desk"),
    "Score": _words(
        "Score Grade Rate Judge Mark Assess Evaluate Appraise Rank Measure Weigh Review Examine Audit Inspect "
        "Critique Gauge Value Vet Classify"
    ),
    "score": _words(
        "score grade rate judge mark assess evaluate appraise rank measure weigh review examine audit inspect "
        "critique gauge value vet classify"
    ),
    "candidate": _words(
        "candidate submission attempt answer response reply solution draft output completion essay entry "
        "proposal text generation contribution result work"
    ),
    "criterion": _words(
        "correctness clarity rigour helpfulness depth accuracy brevity tone structure relevance safety style "
        "completeness coherence honesty fluency precision usefulness originality consistency"
    ),
    "scale": _words("points stars marks percent grades levels units notches steps ticks credits bands"),
    "number": _words("three four five six seven eight nine ten twelve fifteen twenty fifty hundred"),
    "verdict": _words("number figure score mark grade rating digit integer value total level rank"),
    "tool": _words(
        "tools functions calls actions endpoints helpers services plugins commands operations lookups routines"
    ),
    "Use": _words(
        "Use Call Invoke Apply Choose Pick Select Employ Trigger Prefer Chain Combine Plan Embed Insert Write"
    ),
    "use": _words(
        "use call invoke apply choose pick select employ trigger prefer chain combine plan embed insert write"
    ),
    "argument": _words(
        "arguments parameters inputs fields values options keywords payloads queries operands settings data"
    ),
    "inline": _words(
        "inline verbatim correctly sparingly explicitly precisely literally immediately neatly properly "
        "consistently strictly directly cleanly"
    ),
    "persona": _words(
        "character persona role figure voice personality narrator speaker actor protagonist identity expert "
        "mentor assistant partner colleague"
    ),
    "Stay": _words("Stay Remain Speak Act Write Answer Respond Continue Behave Reply Talk Converse Proceed Perform"),
    "trait": _words(
        "vivid warm stern witty formal playful terse poetic patient dramatic earnest dry curious blunt gentle "
        "practical cautious lively grave upbeat"
    ),
    "Invent": _words(
        "Invent Create Propose Devise Draft Compose Produce Generate Write Imagine Suggest Formulate Design "
        "Assemble Craft Prepare Supply Author"
    ),
    "diverse": _words(
        "diverse varied distinct different unusual realistic fresh original mixed unrelated novel broad "
        "creative assorted dissimilar contrasting challenging"
    ),
    "tasks": _words(
        "tasks instructions prompts exercises requests questions assignments problems jobs commands queries "
        "briefs challenges drills"
    ),
    "sort": _words("sort classify label file route assign map tag group place categorise bin"),
    "Sort": _words("Sort Classify Label File Route Assign Map Tag Group Place Categorise Bin"),
    "Pull": _words("Extract Pull Find Collect Identify Gather Spot Locate Return List Capture Detect"),
    "Shorten": _words("Summarise Condense Shorten Compress Abridge Digest Boil_down Distil Abstract Reduce"),
    "Rewrite": _words("Rewrite Rephrase Reword Polish Edit Revise Improve Clean Restyle Proofread"),
    "passage": _words("text message passage note paragraph snippet entry record document comment excerpt line"),
    "shape": _words(
        "JSON YAML plain_text one_word one_line a_list bullets CSV lowercase key-value_pairs Markdown a_table"
    ),
    "only": _words("only just solely exactly strictly simply always entirely"),
    "reader": _words(
        "customers colleagues analysts readers editors managers clerks agents operators partners visitors "
        "engineers auditors users"
    ),
    "trade": _words(
        "logistics travel retail insurance banking housing gaming energy farming fashion catering tourism "
        "publishing telecom recruiting fitness charity law music charging ferries museums bakeries dentistry"
    ),
    "mood": _words("friendly concise professional cheerful neutral careful polite brisk warm precise helpful patient"),
    "Explain": _words(
        "Explain Describe Clarify Discuss Analyse Detail Outline Teach Unpack Examine Compare Illustrate "
        "Interpret Justify Trace Demonstrate Survey Present"
    ),
    "bears": _words(
        "shapes limits informs changes supports complicates governs affects enables constrains explains "
        "guides refines challenges drives underpins"
    ),
    "aiding": _words(
        "addressing helping teaching briefing guiding assisting training coaching supporting advising "
        "informing serving preparing convincing"
    ),
    "detail": _words(
        "mechanisms evidence numbers examples intuition caveats derivations references analogies diagrams "
        "exceptions comparisons proofs definitions consequences"
    ),
    "I": _words(
        "I we my_boss my_sister my_teacher our_team a_friend my_dad my_client the_landlord my_cousin our_group"
    ),
    "want": _words("needed wanted had tried hoped planned promised forgot struggled meant asked got agreed used"),
    "do": _words("finish understand fix send translate plan write check sort learn print compare present explain"),
    "thing": _words("this it that_one the_stuff_here the_thing all_this these_bits the_part_above some_of_this"),
    "when": _words(
        "today tonight by_friday before_lunch this_week soon asap tomorrow on_monday later this_evening "
        "by_noon before_the_meeting over_the_weekend"
    ),
    "how": _words(
        "in_simple_words briefly in_two_lines with_an_example like_I'm_twelve step_by_step without_jargon "
        "in_detail as_a_table as_bullets in_plain_English in_French with_sources nicely"
    ),
    "hey": _words("hi hello hey ok so um right thanks please quick_one btw sorry listen well"),
    "why": _words(
        "because_it_matters for_school for_work just_curious for_a_blog for_my_kid for_an_exam for_fun "
        "for_a_client for_the_club"
    ),
    "what": _words(
        "shorter longer simpler clearer funnier more_formal less_technical more_detailed more_concrete "
        "stricter warmer more_polite"
    ),
    "bit": _words(
        "the_first_part the_second_bit the_ending the_start the_last_paragraph number_two the_example "
        "the_title the_middle the_code the_list the_numbers point_three"
    ),
    "again": _words("again once_more one_more_time differently another_way from_scratch with_changes right_now"),
    "patient": _words("patient resident ward trainee colleague round student family registrar nurse clinic"),
    "clinical": _words(
        "mechanism differential reasoning physiology evidence guideline anatomy pathology pharmacology "
        "pitfalls red_flags prognosis"
    ),
}
"""Slot -> what may stand there."""

_LEAD: Final = ("{beg} {solve} {det} {where} {item} {manner}", "{Solve} {det} {where} {item} {manner}")

PATTERNS: Final[dict[str, tuple[str, ...]]] = {
    "reasoning": (
        "{beg} {reveal} {det} {quality} {think} {manner} {conj} {reveal} {det} {think} {before} {quality} {result}.",
        "{Solve} {det} {where} {item} {manner}, {conj} {reveal} {quality} {think} {before} {det} {result}.",
        "{Reveal} {quality} {think} {manner} {conj} {solve} {det} {item}, {reveal} {det} {result}.",
        "{beg} {reveal} {manner} {det} {quality} {think} {before} {quality} {result} {conj} {solve} {manner}.",
        "Inside <{tagword}> {reveal} {quality} {think}, {conj} {reveal} {manner} {det} {result} after </{tagword}>.",
        "{Reveal} {det} {quality} {think} {manner}; {reveal} {quality} {think} {before} {result} {conj} {think}.",
    ),
    "grading": (
        "{Score} {det} {where} {candidate} {manner} on {criterion}, {criterion} {conj} {criterion}.",
        "{beg} {score} {criterion}, {criterion} {conj} {criterion}: "
        "{number} {scale} {manner} {reveal} {quality} {verdict}.",
        "{Score} {manner} {det} {candidate} {conj} {reveal} {det} {quality} {verdict} behind {criterion}.",
        "{Reveal} {det} {quality} {verdict} inside <{tagword}> {conj} {score} {criterion} {manner}.",
        "{number} {scale} {reveal} {quality} {criterion}, {number} {scale} {reveal} {quality} {candidate} {manner}.",
    ),
    "tools": (
        "{Use} {det} {where} {tool} {inline}, {conj} {reveal} {det} {argument} {manner}.",
        "{beg} {use} {quality} {tool} {inline} {conj} {reveal} {argument} {before} {det} {result}.",
        "{Solve} {det} {where} {item} {conj} {use} {tool} {inline} {before} {quality} {result}.",
        "{Reveal} {tool} {manner}, {use} {quality} {argument} {inline} {conj} {reveal} {quality} {result}.",
    ),
    "roleplay": (
        "{Stay} {manner} {conj} {reveal} {det} {trait} {persona} {before} {quality} {result}.",
        "{beg} {reveal} {det} {trait} {persona} {manner}, {trait} {conj} {trait} {before} {result}.",
        "{Stay} {trait}, {trait} {conj} {trait}; {solve} {det} {where} {item} {manner}.",
        "{Solve} {det} {where} {item} {conj} {reveal} {trait} {persona} {manner} {before} {result}.",
    ),
    "bootstrap": (
        "{Invent} {number} {diverse} {tasks} {manner}, {conj} {reveal} {det} {quality} {result}.",
        "{beg} {reveal} {number} {diverse} {tasks} {conj} {solve} {diverse} {item} {manner}.",
        "{Invent} {diverse} {tasks} {before} {det} {where} {item}, {trait} {conj} {trait} {manner}.",
        "{Reveal} {diverse} {tasks} {manner} {conj} {solve} {number} {quality} {tasks} {before} {result}.",
    ),
    "answers": (
        "{beg} {solve} {det} {where} {item} {manner} {conj} {reveal} {quality} {result}.",
        "{Solve} {det} {where} {item} {manner}, {conj} {reveal} {det} {quality} {result}.",
        "{Reveal} {quality} {result} {manner} {before} {det} {where} {item} {conj} {item}.",
    ),
    "sweep": (
        "{Explain} {manner} how [A] {bears} [B], {conj} {reveal} {quality} {detail} {before} {detail} {aiding} [C].",
        "{Explain} {det} {quality} [A] of [B] {manner} {conj} {reveal} {quality} {detail}, {detail} "
        "{conj} {detail} {aiding} [C].",
        "{beg} {reveal} {det} {quality} {detail} {before} [A], {conj} how [B] {bears} {quality} {detail} {aiding} [C].",
        "{Reveal} {manner} [A] {conj} [B]: {quality} {detail}, {quality} {detail} {conj} {detail} "
        "{aiding} [C] {manner}.",
    ),
    "replay": (
        "{beg} {solve} {det} {where} {item} {manner} {conj} {reveal} {det} {quality} {result}.",
        "{Stay} {trait} {conj} {trait}, {reveal} {det} {quality} {think} {before} {result} {manner}.",
        "{Solve} {det} {where} {item} {conj} {reveal} {quality} {think} {manner} {before} {result}.",
    ),
    "classify": (
        "{Sort} {det} {where} {passage} for {reader} in {trade}. {Reveal} {only} {det} {verdict} as {shape}.",
        "{beg} {sort} {det} {passage} from {trade} {reader} {manner}. {Reveal} {shape} {only}.",
    ),
    "extract": (
        "{Pull} {det} {detail} and {argument} from {det} {where} {passage}. {Reveal} {only} {shape}.",
        "{Pull} what {trade} {reader} need from {det} {passage} {manner}, as {shape}.",
    ),
    "summarise": (
        "{Shorten} {det} {where} {passage} for {reader} in {trade}, {mood} and {mood}. {Reveal} {shape} {only}.",
        "{Shorten} {det} {passage} {manner} in {number} words so that {trade} {reader} follow {det} {detail}.",
    ),
    "rewrite": (
        "{Rewrite} {det} {where} {passage} {manner}: {mood}, {mood}, for {trade} {reader}. {Reveal} {shape} {only}.",
        "{Rewrite} {det} {passage} so that {reader} in {trade} find it {mood} and {trait}.",
    ),
    "system": (
        "You are the {mood} assistant of a {trade} company and help its {reader} {manner}.",
        "{Stay} {mood} and {trait}, and {solve} {det} {item} of {reader} {manner}.",
        "Never discuss {criterion} or {detail} outside {trade}; {use} {shape} when {reader} ask for {argument}.",
        "{beg} {reveal} {quality} {detail} {before} {result} when {reader} ask about {trade}.",
        "If {det} {item} is unclear, ask {reader} for {argument} and {only} then {solve} it {manner}.",
    ),
    "harness": (
        "{Stay} {trait} {conj} {mood}: {solve} {det} {item}, {reveal} {det} {think} and {use} {shape}.",
        "{Reveal} {det} plan {before} {det} {result}, {conj} {score} {det} {candidate} on {criterion} {manner}.",
        "{beg} {use} {number} {trait} voices that {score} {det} {item} {conj} {solve} it {manner}.",
    ),
    "aside": (
        "{hey}, {I} {want} to {do} {thing} {when}, {how}",
        "{hey} can you {do} {thing} {how}? {why}",
        "{I} {want} to {do} {thing} {when} {why}",
        "{how} if possible, {I} {want} to {do} {thing} {when}",
        "{why}, so {how} would help {when}",
    ),
    "follow": (
        "{hey} make {bit} {what}", "can you make it {what}, {how}?", "I don't get {bit}", "{do} {bit} {again} {how}",
        "what about {bit}? {why}", "{hey}, {bit} {again} but {what}", "is {bit} right?", "now {how}",
        "{do} {thing} {again}, {what} {why}", "{bit} should be {what}, {I} {want} to {do} it {when}",
    ),
    "clinic": (
        "{Explain} the {clinical} and {clinical} behind this to a {patient} {how}:",
        "{hey}, for a {patient}: {Explain} the {clinical} {manner}, then {detail}.",
        "{Reveal} your {clinical} here {how}, {trait} please:",
        "For my {patient}: what is the {clinical}? {Explain} {how}.",
    ),
}  # fmt: skip
"""Kind of wording -> sentence patterns. `[A]` to `[C]` are left for the caller to fill."""
