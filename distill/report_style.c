/* The style of the report's page.  Colours are variables: light, dark where the screen asks for it,
 * light on paper.  c0 to c7 are series of plots (which differ in shape, too), heat the far end of
 * the heat map: pale enough that text on it stays legible. */
#include "distill/report_html.h"

static const char colours[] =
    ":root{color-scheme:light dark;--page:#fff;--ink:#1b1e23;--soft:#59616c;\n"
    "--rule:#d6dae0;--card:#f4f6f8;--accent:#0a58a6;--good:#12703c;--bad:#a92a1c;\n"
    "--heat:#0a58a6;--c0:#0a58a6;--c1:#c2500c;--c2:#17803d;--c3:#7b3fc4;--c4:#a8336f;\n"
    "--c5:#7a6a00;--c6:#0f7c86;--c7:#59616c}\n"
    "@media screen and (prefers-color-scheme:dark){:root{--page:#14171b;--ink:#e7eaee;\n"
    "--soft:#a3acb8;--rule:#363c45;--card:#1d2127;--accent:#7db8f5;--good:#6fce93;\n"
    "--bad:#ff9585;--heat:#7db8f5;--c0:#7db8f5;--c1:#ffa366;--c2:#6fce93;--c3:#c3a1f7;\n"
    "--c4:#f792c3;--c5:#d9c75a;--c6:#63d2dc;--c7:#a3acb8}}\n";

static const char words[] =
    "*{box-sizing:border-box}body{margin:0 auto;max-width:70rem;padding:1rem;\n"
    "background:var(--page);color:var(--ink);\n"
    "font:1rem/1.55 system-ui,-apple-system,\"Segoe UI\",Roboto,\"Liberation Sans\",sans-serif}\n"
    "h1{font-size:1.9rem;line-height:1.2;margin:1rem 0 .3rem}h2{font-size:1.35rem;\n"
    "margin:2.6rem 0 .6rem;padding-top:.8rem;border-top:1px solid var(--rule)}\n"
    "h4{font-size:1rem;margin:1.4rem 0 .2rem}h3{font-size:1.1rem;margin:1.6rem 0 "
    ".4rem}p,li,dd{max-width:46rem;\n"
    "overflow-wrap:anywhere}a{color:var(--accent)}nav{font-size:.92rem}\n"
    "nav ul{list-style:none;display:flex;flex-wrap:wrap;gap:.2rem 1.1rem;padding:0;\n"
    "margin:.8rem 0}.missing{border-left:.25rem solid var(--c1);padding:.3rem .8rem;\n"
    "background:var(--card)}figcaption,caption{color:var(--soft)}\n"
    ".tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(9.5rem,1fr));\n"
    "gap:.8rem;margin:1.2rem 0;padding:0;list-style:none}\n"
    ".tiles li{background:var(--card);border-radius:.5rem;padding:.7rem .9rem}\n"
    ".tiles b{display:block;font-size:1.5rem;line-height:1.25;\n"
    "font-variant-numeric:tabular-nums}.tiles span{display:block;font-size:.88rem;\n"
    "color:var(--soft)}.flow{display:flex;flex-wrap:wrap;gap:.5rem 1.6rem;\n"
    "list-style:none;padding:0;margin:1rem 0}.flow li{position:relative;flex:1 1 7.5rem;\n"
    "background:var(--card);border-radius:.5rem;padding:.5rem .7rem;font-size:.9rem}\n"
    ".flow li b,.flow li span{display:block}.flow li b{font-size:1rem}.flow "
    "li+li::before{content:\"\\2192\";\n"
    "position:absolute;left:-1.3rem;top:.9rem;color:var(--soft)}\n";

static const char plots[] =
    ".plots{display:grid;\n"
    "grid-template-columns:repeat(auto-fit,minmax(min(100%,27rem),1fr));gap:1.2rem 2rem;\n"
    "align-items:start}figure{margin:.8rem 0;min-width:0}figcaption{font-weight:600;\n"
    "color:var(--ink);margin-bottom:.3rem}svg{display:block;width:100%;height:auto;\n"
    "max-width:31rem;color:var(--ink)}svg text{fill:var(--ink);\n"
    "font:12.5px system-ui,-apple-system,\"Segoe UI\",Roboto,\"Liberation Sans\",sans-serif}\n"
    "svg .tick{fill:var(--soft);font-size:12px}svg .grid{stroke:var(--rule);\n"
    "stroke-width:1}svg .axis{stroke:var(--soft);stroke-width:1}svg .line{fill:none;\n"
    "stroke-width:2;stroke-linejoin:round}svg .bar{stroke-width:2;fill:none}\n"
    "svg .level{stroke-width:1.5;stroke-dasharray:5 4;fill:none}svg .ring{fill:none;\n"
    "stroke:var(--ink);stroke-width:2}svg .strong{font-weight:700}\n"
    "svg .edge{stroke:var(--rule)}.s0{color:var(--c0)}.s1{color:var(--c1)}\n"
    ".s2{color:var(--c2)}.s3{color:var(--c3)}.s4{color:var(--c4)}.s5{color:var(--c5)}\n"
    ".s6{color:var(--c6)}.s7{color:var(--c7)}.line,.bar,.level{stroke:currentColor}\n"
    ".dot{fill:currentColor;stroke:var(--page)}.key{display:flex;flex-wrap:wrap;\n"
    "gap:.1rem 1rem;list-style:none;padding:0;margin:.3rem 0;font-size:.88rem}\n"
    ".key li{display:flex;align-items:center;gap:.35rem}.key svg{width:1.6rem;\n"
    "height:1rem;flex:none;color:inherit}.key span{color:var(--ink)}\n";

static const char tables[] =
    ".scroll{overflow-x:auto;margin:.5rem 0}.scroll svg{max-width:none}.plots "
    "figure:has(.wide){grid-column:1/-1}\n"
    "table{border-collapse:collapse;font-size:.88rem;font-variant-numeric:tabular-nums}\n"
    "caption{text-align:left;padding:.2rem 0}th,td{padding:.22rem .8rem .22rem 0;\n"
    "text-align:right;border-bottom:1px solid var(--rule);vertical-align:top;\n"
    "white-space:nowrap}thead th{color:var(--soft);font-weight:600}\n"
    "th:first-child,td.words,table:has(td.words:nth-child(2)) "
    "th:nth-child(2){text-align:left}th:first-child{font-weight:600}\n"
    "td.words{white-space:normal;min-width:10rem}\n"
    "details{margin:.4rem 0}summary{cursor:pointer;color:var(--accent);font-size:.92rem}\n"
    "pre{white-space:pre-wrap;overflow-wrap:anywhere;background:var(--card);border-radius:.5rem;"
    "padding:.8rem;overflow-x:auto;\n"
    "font-size:.84rem;line-height:1.45}code{font-size:.92em;overflow-wrap:anywhere}\n"
    ".query{margin:1.4rem 0}.sides{display:grid;gap:.4rem 2rem;\n"
    "grid-template-columns:repeat(auto-fit,minmax(min(100%,20rem),1fr))}\n"
    ".sides h5{margin:.3rem 0;font-size:.92rem;color:var(--soft)}.sides ol{margin:0;\n"
    "padding-left:1.4rem;font-size:.9rem}.sides li{margin:.25rem 0}.id{color:var(--soft);\n"
    "font-size:.85em}.up{color:var(--good)}.down{color:var(--bad)}\n"
    ".grade{background:var(--good);color:var(--page);border-radius:.3rem;\n"
    "padding:0 .35rem;font-size:.8em;font-weight:600;white-space:nowrap}\n"
    "dt{font-weight:600;margin-top:.6rem}dd{margin:0}\n";

static const char paper[] =
    "@media screen and (max-width:48rem){.flow li+li::before{content:none}}\n"
    "@media print{body{max-width:none;padding:0;font-size:10pt}nav{display:none}\n"
    "h2,h3,h4,figcaption{break-after:avoid}figure,.tiles li,.sides li,tr,svg{break-inside:avoid}\n"
    "details::details-content{content-visibility:visible;display:block;height:auto}\n"
    "summary{display:none}.plots{display:block}svg{max-width:24rem}.key svg{max-width:1.6rem}\n"
    ".scroll{overflow:visible}.scroll svg{max-width:none}table{font-size:7.5pt}\n"
    "th,td{white-space:normal;padding:.1rem .5rem .1rem 0}}\n";

const char *const report_style[] = {colours, words, plots, tables, paper, NULL};
