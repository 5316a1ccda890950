/** What diff found as one HTML page: no script, nothing from elsewhere, all of the guest's text escaped. */
import type { MachineEvent } from "../machine/events.ts";
import type { Comparison, Consequences } from "../journal/diff_follow.ts";
import { DIFFERENCE_CLASSES, type DifferenceClass } from "../journal/diff_kinds.ts";
import { type SummaryRow, summaryRows } from "./diff_summary.ts";
import { type Divergence, registerRows, type View } from "./diff_view.ts";
import { whatText } from "./event_text.ts";
import { grouped, paletteFor } from "./text.ts";

/** Rows of a page at most. */
const MOST_ROWS = 10_000;
/** Equal events shown around a difference. */
const AROUND = 2;

const PLAIN = paletteFor({ isColoured: false });

/** Text as text: in an element or an attribute's quotes. */
export function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`)
    .replace(/[\p{Cc}\p{Cf}\p{Cs}]/gu, "\u00b7");
}

interface Row {
  readonly comparison: Comparison;
  /** Events of the same track that are left out before it. */
  readonly skipped: number;
}

/** Gathers the rows of a page while the runs are compared. */
export class HtmlRows {
  readonly rows: Row[] = [];
  /** Differences for which there was no room. */
  left = 0;
  #waiting: Comparison[] = [];
  #skipped = 0;
  #after = 0;

  /** Takes the next comparison. */
  add(comparison: Comparison): void {
    const { difference, isHidden } = comparison;
    const isDifference = difference !== "same" && difference !== "timing" && !isHidden;
    if (isDifference && this.rows.length >= MOST_ROWS) return void this.left++;
    if (!isDifference) {
      if (this.#after > 0 && this.rows.length < MOST_ROWS) {
        this.#after--;
        return this.#push(comparison);
      }
      if (this.#waiting.push(comparison) > AROUND) {
        this.#waiting.shift();
        this.#skipped++;
      }
      return;
    }
    for (const waiting of this.#waiting.splice(0)) this.#push(waiting);
    this.#push(comparison);
    this.#after = AROUND;
  }

  #push(comparison: Comparison): void {
    this.rows.push({ comparison, skipped: this.#skipped });
    this.#skipped = 0;
  }
}

const STYLE = `
:root{color-scheme:light dark;--line:#8884;--left:#f8514926;--right:#2ea04326;--value:#d2992226;--other:#8881}
body{font:14px/1.45 system-ui,sans-serif;margin:2em auto;padding:0 1em;max-width:110em}
h1{font-size:1.4em}h2{font-size:1.1em;margin-top:2em}
table{border-collapse:collapse;width:100%}td,th{padding:2px 8px;vertical-align:top;text-align:left;border-bottom:1px solid var(--line)}
code,td.e,td.i{font:12px/1.45 ui-monospace,monospace}td.e{white-space:pre-wrap;overflow-wrap:anywhere;width:45%}
td.i{text-align:right;white-space:nowrap;opacity:.7}
tr.left td.l,tr.value td.l{background:var(--left)}tr.right td.r,tr.value td.r{background:var(--right)}
tr.address td,tr.counter td{background:var(--value)}tr.hidden td{background:var(--other)}
tr.gap td{opacity:.6;text-align:center}
code{white-space:pre-wrap;overflow-wrap:anywhere}
.summary th{width:8em}.first td{font-weight:600}
label{margin-right:1.2em}`;

/** Hides the rows of classes whose boxes are not ticked. */
function boxStyle(): string {
  return DIFFERENCE_CLASSES.map((name) => `body:has(#c-${name}:not(:checked)) tr.${name}{display:none}`).join(
    "\n",
  );
}

// deno-fmt-ignore
const BOXES: Readonly<Record<DifferenceClass, string>> = {
  same: "equal", timing: "only timing", address: "shifted addresses", counter: "counter reads",
  value: "other values", left: "only left", right: "only right",
};

function boxes(counts: Consequences["counts"]): string {
  const box = (name: DifferenceClass): string =>
    `<label><input type="checkbox" id="c-${name}" checked> ${escaped(BOXES[name])} (${
      grouped(counts[name])
    })</label>`;
  return `<p>${DIFFERENCE_CLASSES.map(box).join("")}</p>`;
}

function eventCells(event: MachineEvent | undefined, side: "l" | "r", view: View): string {
  if (event === undefined) return `<td class="i ${side}"></td><td class="e ${side}"></td>`;
  const what = escaped(`cpu${event.cpu} ${whatText(event, PLAIN, view.symbols)}`);
  return `<td class="i ${side}">${grouped(event.instant)}</td><td class="e ${side}">${what}</td>`;
}

function rowHtml({ comparison, skipped }: Row, view: View): string {
  const { left, right, difference, isHidden } = comparison;
  const gap = skipped === 0
    ? ""
    : `<tr class="gap"><td colspan="4">… ${
      grouped(skipped)
    } that do not differ but in time, or are hidden</td></tr>\n`;
  const name = `${difference}${isHidden ? " hidden" : ""}`;
  return `${gap}<tr class="${name}">${eventCells(left, "l", view)}${eventCells(right, "r", view)}</tr>\n`;
}

const instantOf = ({ comparison: { left, right } }: Row): number => left?.instant ?? right!.instant;

/** A table of two columns of text. */
function plainTable(rows: readonly (readonly string[])[], name: string): string {
  const cells = ([head, ...others]: readonly string[]): string =>
    `<tr><th>${escaped(head!)}</th>${
      others.map((text) => `<td><code>${escaped(text)}</code></td>`).join("")
    }</tr>`;
  return `<table class="${name}">${rows.map(cells).join("\n")}</table>`;
}

/** The page. */
export function differencePage(
  found: Divergence,
  followed: Consequences,
  gathered: HtmlRows,
  machines: readonly (readonly [string, string, string])[],
  view: View,
): string {
  const plain: View = { ...view, palette: PLAIN };
  const [left, right] = view.names.map(escaped);
  const summary: SummaryRow[] = summaryRows(found, followed, plain);
  const registers = registerRows(found);
  const rows = [...gathered.rows].sort((a, b) => instantOf(a) - instantOf(b));
  const sides = found.sides.map(({ after }) => after);
  const around = Array.from(
    { length: Math.max(...sides.map(({ length }) => length)) },
    (_, index) =>
      `<tr class="${index === 0 ? "first value" : ""}">${eventCells(sides[0]![index], "l", plain)}${
        eventCells(sides[1]![index], "r", plain)
      }</tr>`,
  );
  const before = found.sides[0].before.map((event) =>
    `<tr>${eventCells(event, "l", plain)}${eventCells(event, "r", plain)}</tr>`
  );
  const head = `<tr><th></th><th>${left}</th><th></th><th>${right}</th></tr>`;
  const more = gathered.left === 0 ? "" : `<p>There was no room for ${grouped(gathered.left)} more.</p>`;
  return `<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; style-src 'unsafe-inline'">
<meta name="viewport" content="width=device-width">
<title>${left} and ${right}</title>
<style>${STYLE}
${boxStyle()}
</style>
</head>
<body>
<h1>${left} and ${right} differ from instant ${grouped(found.instant)} on</h1>
${plainTable(summary, "summary")}
${
    machines.length === 0
      ? ""
      : `<h2>The machines are not the same</h2>\n${
        plainTable([["", ...view.names], ...machines], "machines")
      }`
  }
<h2>The first difference</h2>
<table>${head}
${before.join("\n")}
${around.join("\n")}
</table>
${
    registers.length === 0
      ? "<p>All registers are equal before it.</p>"
      : `<h2>Registers that differ before it</h2>\n${
        plainTable([["", ...view.names], ...registers], "registers")
      }`
  }
<h2>What followed</h2>
${boxes(followed.counts)}
<table>${head}
${rows.map((row) => rowHtml(row, plain)).join("")}</table>
${more}
</body>
</html>
`;
}
