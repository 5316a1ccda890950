/** Guest time against virtual time as one SVG, without anything that is not in the file. */

/** A curve. */
export interface Curve {
  /** What it is. */
  readonly name: string;
  /** Points in order: virtual time and guest time, in microseconds. */
  readonly points: readonly (readonly [x: number, y: number])[];
}

/** A moment at which something was changed. */
export interface Mark {
  /** Virtual time in microseconds. */
  readonly at: number;
  /** What was done. */
  readonly text: string;
}

const WIDTH = 960, HEIGHT = 600, LEFT = 80, RIGHT = 20, TOP = 50, BOTTOM = 60;
const COLOURS = ["#0b62a4", "#c0392b", "#1e8449", "#7d3c98", "#b9770e", "#117864", "#5d6d7e", "#6e2c00"];
const TICKS = 8;

/** The step of an axis: 1, 2 or 5 times a power of ten. */
function stepOf(most: number): number {
  let step = 1;
  for (const factors = [2, 2.5, 2]; most / step > TICKS;) {
    step *= factors[0] as number;
    factors.push(factors.shift() as number);
  }
  return step;
}

function escaped(text: string): string {
  return text.replaceAll("&", "&amp;").replaceAll("<", "&lt;").replaceAll(">", "&gt;");
}

/** The plot. */
export function plotSvg(title: string, curves: readonly Curve[], marks: readonly Mark[]): string {
  const all = curves.flatMap(({ points }) => points);
  const mostX = Math.max(1, ...all.map(([x]) => x)), mostY = Math.max(1, ...all.map(([, y]) => y));
  const xOf = (x: number) => (LEFT + x / mostX * (WIDTH - LEFT - RIGHT)).toFixed(2);
  const yOf = (y: number) => (HEIGHT - BOTTOM - y / mostY * (HEIGHT - TOP - BOTTOM)).toFixed(2);
  const lines: string[] = [];
  const text = (x: number | string, y: number | string, content: string, more = "") =>
    lines.push(`<text x="${x}" y="${y}" ${more}>${escaped(content)}</text>`);
  for (let x = 0, step = stepOf(mostX); x <= mostX; x += step) {
    lines.push(`<path class="grid" d="M${xOf(x)} ${TOP}V${HEIGHT - BOTTOM}"/>`);
    text(xOf(x), HEIGHT - BOTTOM + 18, `${x}`, 'text-anchor="middle"');
  }
  for (let y = 0, step = stepOf(mostY); y <= mostY; y += step) {
    lines.push(`<path class="grid" d="M${LEFT} ${yOf(y)}H${WIDTH - RIGHT}"/>`);
    text(LEFT - 8, Number(yOf(y)) + 4, `${y}`, 'text-anchor="end"');
  }
  for (const [index, { at, text: what }] of marks.entries()) {
    lines.push(`<path class="mark" d="M${xOf(at)} ${TOP}V${HEIGHT - BOTTOM}"/>`);
    text(Number(xOf(at)) + 4, TOP + 14 + index % 6 * 14, what, 'class="what"');
  }
  for (const [index, { name, points }] of curves.entries()) {
    const colour = COLOURS[index % COLOURS.length] as string;
    const path = points.map(([x, y], at) => `${at === 0 ? "M" : "L"}${xOf(x)} ${yOf(y)}`).join("");
    lines.push(`<path d="${path}" stroke="${colour}"/>`);
    text(WIDTH - RIGHT - 4, HEIGHT - BOTTOM - 8 - index * 16, name, `text-anchor="end" fill="${colour}"`);
  }
  text(WIDTH / 2, 26, title, 'text-anchor="middle" font-size="16"');
  text(WIDTH / 2, HEIGHT - 14, "virtual time of the machine in µs", 'text-anchor="middle"');
  text(18, HEIGHT / 2, "guest time in µs", `text-anchor="middle" transform="rotate(-90 18 ${HEIGHT / 2})"`);
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${HEIGHT}" font-family="sans-serif" font-size="12">
<style>path{fill:none;stroke-width:1.5}.grid{stroke:#ddd}.mark{stroke:#888;stroke-dasharray:4 3}.what{fill:#555;font-size:11px}</style>
<rect width="${WIDTH}" height="${HEIGHT}" fill="#fff"/>
${lines.join("\n")}
</svg>
`;
}
