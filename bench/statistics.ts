/** Medians, means and tables. */

/** The middle value, or the mean of the two in the middle; NaN of nothing. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b), middle = sorted.length >> 1;
  const upper = sorted[middle] ?? NaN;
  return sorted.length % 2 === 1 ? upper : (upper + (sorted[middle - 1] ?? NaN)) / 2;
}

/** The geometric mean of the values above 0: others were not measured, or drowned in noise; NaN of nothing. */
export function geometricMean(values: readonly number[]): number {
  const known = values.filter((value) => value > 0);
  return Math.exp(known.reduce((sum, value) => sum + Math.log(value), 0) / known.length);
}

/** A number in so many digits, and nothing for NaN. */
export function digits(value: number | undefined, count = 3): string {
  if (value === undefined || Number.isNaN(value)) return "";
  const text = value.toPrecision(count);
  return text.includes("e") ? String(Math.round(value)) : text;
}

/** Rows of a table as lines: the first column to the left, the others to the right. */
export function tableLines(rows: readonly (readonly string[])[]): string[] {
  const widths: number[] = [];
  for (const row of rows) {
    row.forEach((cell, at) => widths[at] = Math.max(widths[at] ?? 0, cell.length));
  }
  return rows.map((row) =>
    row.map((cell, at) => at === 0 ? cell.padEnd(widths[at] ?? 0) : cell.padStart(widths[at] ?? 0)).join("  ")
      .trimEnd()
  );
}
