#include "profile/html.h"

#include <fmt/core.h>

namespace tenon::profile {

namespace {

constexpr std::string_view kStyle = R"(
:root{color-scheme:light dark;--bg:#fbfaf7;--card:#fff;--ink:#22252b;--soft:#6a6f7a;--line:#e3e1da;--a:#2563a8;--b:#c2571a;--good:#1d7a46;--bad:#b8321f}
@media(prefers-color-scheme:dark){:root{--bg:#16181c;--card:#1f2227;--ink:#e6e6e3;--soft:#9aa0ab;--line:#343840;--a:#6aa9ea;--b:#f0935a;--good:#5fc48b;--bad:#f0826f}}
*{box-sizing:border-box}body{margin:0;background:var(--bg);color:var(--ink);font:15px/1.5 system-ui,'Segoe UI','DejaVu Sans',sans-serif}
main{max-width:1120px;margin:0 auto;padding:32px 20px 64px}h1{font-size:28px;margin:0}h2{font-size:18px;margin:40px 0 12px}
.sub{color:var(--soft);margin:2px 0 24px}.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:12px}
.tile,.card{background:var(--card);border:1px solid var(--line);border-radius:10px;padding:14px 16px}.tile b{display:block;font-size:24px;font-weight:600}.tile span{color:var(--soft);font-size:13px}
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(420px,1fr));gap:16px}.chart{width:100%;height:auto;display:block}
.chart text{fill:var(--ink);font-size:12px}.chart .heading{font-size:14px;font-weight:600}.chart .tick,.chart .label{fill:var(--soft)}.grid{stroke:var(--line)}
.series polyline{fill:none;stroke:currentColor;stroke-width:2}.series circle{fill:currentColor}.s0{color:var(--a)}.s1{color:var(--b)}
.scroll{overflow-x:auto}.good{color:var(--good)}.bad{color:var(--bad)}.soft{color:var(--soft)}
.facts{border-collapse:collapse;width:100%}.facts td{padding:5px 8px;border-bottom:1px solid var(--line);vertical-align:top}.facts td:first-child{color:var(--soft);white-space:nowrap;width:1%}
.numbers{border-collapse:collapse;width:100%;font-variant-numeric:tabular-nums}.numbers th,.numbers td{padding:5px 8px;border-bottom:1px solid var(--line);text-align:right}.numbers th{color:var(--soft);font-weight:500}.numbers .text{text-align:left}
pre{margin:0;overflow-x:auto;font:13px/1.5 ui-monospace,'DejaVu Sans Mono',monospace}details summary{cursor:pointer;font-weight:600}
)";

}  // namespace

std::string escape_html(std::string_view text) {
  std::string out;
  for (const char c : text) switch (c) {
      case '&': out += "&amp;"; break;
      case '<': out += "&lt;"; break;
      case '>': out += "&gt;"; break;
      case '"': out += "&quot;"; break;
      default: out += c;
    }
  return out;
}

std::string html_page(std::string_view title, std::string_view body, std::string_view style) {
  std::string page =
      "<!doctype html><html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" "
      "content=\"width=device-width,initial-scale=1\"><title>";
  page += escape_html(title);
  page += "</title><style>";
  page += kStyle;
  page += style;
  page += "</style></head><body><main>";
  page += body;
  page += "</main></body></html>\n";
  return page;
}

std::string html_tile(std::string_view value, std::string_view what) {
  return fmt::format("<div class=\"tile\"><b>{}</b><span>{}</span></div>", escape_html(value),
                     escape_html(what));
}

}  // namespace tenon::profile
