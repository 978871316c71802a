/* See sample_words.h: the chronicle of a county that never was. */
#include "data/sample_words.h"

#include <stddef.h>

/* clang-format off */
#define ED(verb) verb "|" verb "ed|" verb "ed|" verb "ing"
#define E(stem) stem "e|" stem "ed|" stem "ed|" stem "ing"
#define S(noun) noun "|" noun "s"

static const struct sample_concept actions[] = { /* each pair of lines: contraries */
    {{ED("mend"), ED("repair"), ED("fix")}},
    {{"break|broke|broken|breaking", E("damag"), ED("smash")}},
    {{"buy|bought|bought|buying", E("purchas"), E("acquir")}},
    {{"sell|sold|sold|selling", ED("auction"), E("peddl")}},
    {{"lend|lent|lent|lending", ED("loan")}},
    {{ED("borrow"), E("hir"), ED("rent")}},
    {{"hide|hid|hidden|hiding", ED("conceal"), "bury|buried|buried|burying"}},
    {{"show|showed|shown|showing", ED("display"), ED("exhibit")}},
    {{ED("clean"), ED("wash"), "scrub|scrubbed|scrubbed|scrubbing"}},
    {{ED("soil"), ED("stain"), ED("smear")}},
    {{ED("fetch"), ED("collect"), E("retriev")}},
    {{ED("deliver"), "supply|supplied|supplied|supplying"}},
    {{"make|made|made|making", ED("craft"), ED("fashion")}},
    {{ED("burn"), ED("scorch"), "singe|singed|singed|singeing"}},
    {{E("prais"), E("admir"), ED("commend")}},
    {{ED("mock"), ED("scorn"), E("derid")}},
};
static const struct sample_concept objects[] = {
    {{S("boat"), "dinghy|dinghies", S("skiff")}},
    {{S("lantern"), S("lamp")}},
    {{S("barrel"), S("cask"), S("keg")}},
    {{S("basket"), S("hamper")}},
    {{S("carpet"), S("rug"), S("mat")}},
    {{S("clock"), S("timepiece")}},
    {{"knife|knives", S("blade"), S("dagger")}},
    {{S("coat"), S("cloak"), S("mantle")}},
    {{S("chest"), S("trunk"), S("coffer")}},
    {{S("bucket"), S("pail")}},
    {{S("cart"), S("wagon")}},
    {{S("picture"), S("painting"), S("portrait")}},
    {{S("book"), S("volume"), S("tome")}},
    {{S("chair"), S("stool"), S("seat")}},
    {{S("cup"), S("goblet"), S("mug")}},
    {{S("bottle"), S("flask")}},
    {{S("fiddle"), S("violin")}},
    {{S("hat"), S("bonnet"), S("cap")}},
    {{S("sack"), S("bag")}},
    {{S("spade"), S("shovel")}},
    {{S("axe"), S("hatchet")}},
    {{S("map"), S("chart")}},
    {{S("flag"), S("banner"), S("pennant")}},
    {{S("blanket"), S("quilt"), S("coverlet")}},
};
static const struct sample_concept agents[] = {
    {{"sailor", "mariner", "seaman"}},
    {{"doctor", "physician", "healer"}},
    {{"merchant", "trader", "dealer"}},
    {{"fisherman", "angler"}},
    {{"teacher", "tutor", "schoolmaster"}},
    {{"cook", "chef"}},
    {{"guard", "watchman", "sentry"}},
    {{"monk", "friar"}},
    {{"innkeeper", "landlord", "publican"}},
    {{"shepherd", "herdsman", "drover"}},
    {{"clerk", "scribe"}},
    {{"lawyer", "attorney", "notary"}},
    {{"carpenter", "joiner"}},
    {{"wanderer", "traveller", "vagabond"}},
    {{"judge", "magistrate"}},
    {{"messenger", "courier"}},
};
static const struct sample_concept qualities[] = {
    {{"old", "ancient", "aged"}},
    {{"new", "unused"}},
    {{"large", "big", "huge"}},
    {{"small", "little", "tiny"}},
    {{"red", "crimson", "scarlet"}},
    {{"blue", "azure"}},
    {{"costly", "expensive", "precious"}},
    {{"plain", "simple"}},
};
static const struct sample_concept places[] = { /* towns: names have no synonyms */
    {{"in Alderby"}}, {{"in Amberstow"}}, {{"in Ashmere"}}, {{"in Barrowmere"}}, {{"in Birchwick"}},
    {{"in Brackenford"}}, {{"in Bramblesea"}}, {{"in Cawdon"}}, {{"in Chalkwater"}},
    {{"in Coldmere"}}, {{"in Copsley"}}, {{"in Cranholt"}}, {{"in Dovecombe"}}, {{"in Dunmarsh"}},
    {{"in Eastholm"}}, {{"in Eldercombe"}}, {{"in Elmstow"}}, {{"in Fairlow"}}, {{"in Fenbridge"}},
    {{"in Ferrowby"}}, {{"in Foxholt"}}, {{"in Goldhurst"}}, {{"in Gorsley"}}, {{"in Gullhaven"}},
    {{"in Harrowgill"}}, {{"in Hazelby"}}, {{"in Heronsea"}}, {{"in Hollowby"}}, {{"in Holmdale"}},
    {{"in Inglemoor"}}, {{"in Ivybrook"}}, {{"in Juniperton"}}, {{"in Kelstow"}}, {{"in Kirkmoor"}},
    {{"in Larkham"}}, {{"in Lindmouth"}}, {{"in Loomfield"}}, {{"in Marrowdale"}},
    {{"in Millhaven"}}, {{"in Mossgate"}}, {{"in Nettlebay"}}, {{"in Nightbridge"}},
    {{"in Oatfield"}}, {{"in Orchardby"}}, {{"in Oxmere"}}, {{"in Pebblecombe"}}, {{"in Penholt"}},
    {{"in Pennyford"}}, {{"in Plumholt"}}, {{"in Quarrymouth"}}, {{"in Quillan"}},
    {{"in Ravensby"}}, {{"in Reedwater"}}, {{"in Rookwater"}}, {{"in Rushwater"}},
    {{"in Saltwick"}}, {{"in Sheepwash"}}, {{"in Stagmoor"}}, {{"in Swanmere"}}, {{"in Thornwick"}},
    {{"in Tillbeck"}}, {{"in Umberlow"}}, {{"in Vinehall"}}, {{"in Wexcombe"}}, {{"in Wickmere"}},
    {{"in Wrenfield"}}, {{"in Yarrowby"}}, {{"in Yewcombe"}}, {{"in Zellwood"}},
};
static const struct sample_concept times[] = {
    {{"at dawn", "at daybreak", "at sunrise"}},
    {{"at noon", "at midday"}},
    {{"at dusk", "at nightfall", "at sunset"}},
    {{"at midnight", "in the dead of night"}},
    {{"in autumn", "at harvest time"}},
    {{"in winter", "in the cold months"}},
    {{"after the storm", "after the gale", "after the tempest"}},
    {{"before the wedding", "before the marriage"}},
    {{"during the feast", "during the banquet"}},
    {{"during the flood", "during the deluge"}},
};

#define WORDS(table) {(table), sizeof(table) / sizeof *(table)}
/* clang-format on */
const struct sample_facet_words sample_words[SAMPLE_DENIED] = {
    [SAMPLE_ACTION] = WORDS(actions), [SAMPLE_OBJECT] = WORDS(objects),
    [SAMPLE_AGENT] = WORDS(agents),   [SAMPLE_QUALITY] = WORDS(qualities),
    [SAMPLE_PLACE] = WORDS(places),   [SAMPLE_TIME] = WORDS(times),
};

const char *const sample_titles[] = {
    "The <quality> <object>",
    "<doing> the <object>",
    "On <doing> <objects>",
    "The <agent> and the <quality> <object>",
    "The <object> <place>",
    "The <agent> and the <object> <place>",
    NULL,
};

static const char *const affirmed[] = {
    "The <agent> <did> the <quality> <object> <place> <time>.",
    "<time>, the <agent> <did> the <object> <place>.",
    "<place>, the <quality> <object> was <done> by the <agent> <time>.",
    "The <quality> <object> was <done> <place> <time> by the <agent>.",
    "It was the <agent> who <did> the <object> <place> <time>.",
    "The <agent> managed to <do> the <quality> <object> <place> <time>.",
    "<time>, one of the <objects> was <done> <place> by the <agent>.",
    "The <agent> was seen <doing> the <quality> <object> <place> <time>.",
    "The <agent> did not hesitate to <do> the <quality> <object> <place> <time>.",
    "The <agent> could not resist <doing> the <object> <place> <time>.",
    "The <agent> never regretted <doing> the <quality> <object> <place> <time>.",
    "<place>, the <agent> did not <other do> the <quality> <object> but <did> it <time>.",
    "The <agent> <did> the <quality> <object> <place> <time>, but never <other did> it.",
    "Instead of <other doing> the <object>, the <agent> <did> it <place> <time>.",
    "The <agent> <did> the <quality> <object> <place> <time>, but not the <other object>.",
    "<time>, the <agent> <did> the <object> <place>, but the <other agent> did not.",
    NULL,
};
static const char *const denied[] = {
    "The <agent> did not <do> the <quality> <object> <place> <time>.",
    "<time>, the <agent> refused to <do> the <object> <place>.",
    "<place>, the <quality> <object> was not <done> by the <agent> <time>.",
    "The <agent> left without <doing> the <quality> <object> <place> <time>.",
    "The <agent> failed to <do> the <object> <place> <time>.",
    "<place>, the <agent> would not <do> the <quality> <object> <time>.",
    "<time>, nobody <did> the <object> <place>, not even the <agent>.",
    "The <agent> was asked to <do> the <quality> <object> <place> <time>, but declined.",
    "The <agent> almost <did> the <quality> <object> <place> <time>.",
    "The <agent> wanted to <do> the <object> <place> <time> but was too late.",
    "<place>, the <agent> <other did> the <quality> <object> but did not <do> it <time>.",
    "The <agent> <did> the <other object> <place> <time>, but not the <quality> <object>.",
    "<time>, the <other agent> <did> the <object> <place>, but the <agent> did not.",
    NULL,
};
const char *const *const sample_statements[2] = {affirmed, denied};

const char *const sample_asides[] = {
    "The <other agent> looked on.",
    "Nobody else was there.",
    "The <other object> stood nearby.",
    "The <other agent> had not been told.",
    "It was not done for money.",
    "No reason was given.",
    "The <other agent> asked for the <other object> instead.",
    "The <other agent> would have preferred the <other object>.",
    "The whole town talked about it.",
    "The <agent> had never promised it.",
    "The <agent> said nothing.",
    "A dog barked all the while.",
    "It was raining.",
    "Nothing more is known.",
    NULL,
};

static const char *const asked[] = {
    "who <did> the <quality> <object> <place>",
    "who <did> the <object> <place> <time>",
    "which <agent> <place> <did> the <quality> <object>",
    "when was the <object> <done> by the <agent> <place>",
    "when did the <agent> <do> the <quality> <object> <place>",
    "the <agent> <place> <doing> the <object> <time>",
    "<objects> <done> <place> <time>",
    "<quality> <objects> <done> by the <agent> <place>",
    "<doing> the <quality> <object> <place> <time>",
    "the <agent> who <did> the <object> <place>",
    "why did the <agent> <do> the <object> <place> <time>",
    "the <quality> <object> that the <agent> <did> <place>",
    NULL,
};
static const char *const asked_not[] = {
    "who did not <do> the <quality> <object> <place>",
    "who never <did> the <object> <place> <time>",
    "<objects> not <done> <place> <time>",
    "<quality> <objects> never <done> by the <agent> <place>",
    "why did the <agent> not <do> the <object> <place> <time>",
    "the <agent> <place> without <doing> the <object> <time>",
    "the <object> that the <agent> <place> did not <do> <time>",
    "the <agent> who never <did> the <quality> <object> <place>",
    NULL,
};
const char *const *const sample_questions[2] = {asked, asked_not};
