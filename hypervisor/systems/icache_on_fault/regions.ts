/** What the board has at an address, in whole pages: small devices share one. */
import type { BoardRow } from "../../../machine/board.ts";
import { PAGE_SIZE } from "../../../machine/memory/physical.ts";

/** The row of the board that the page of an address belongs to, the first of several; undefined where nothing is. */
export function regionOf(rows: readonly BoardRow[], address: number): BoardRow | undefined {
  return rows.find(({ base, size, secureOnly }) =>
    !secureOnly && address >= base - base % PAGE_SIZE &&
    address < Math.ceil((base + size) / PAGE_SIZE) * PAGE_SIZE
  );
}
