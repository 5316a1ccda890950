/** How rows of a screen moved, for whoever shows it elsewhere. */

/** Rows that moved by one operation. */
export interface Scrolled {
  /** First row. */
  readonly top: number;
  /** Row behind the last. */
  readonly bottom: number;
  /** Rows up; down when negative. */
  readonly count: number;
}

/** What came of movements: none, one, or more than that. */
export type Scrolling = Scrolled | "none" | "many";

/** After one more movement: several of the same rows are one. */
export function scrolledOn(before: Scrolling, moved: Scrolled): Scrolling {
  if (before === "none") return moved;
  if (before === "many" || before.top !== moved.top || before.bottom !== moved.bottom) return "many";
  return { ...moved, count: before.count + moved.count };
}
