/** Pages of memory as they were at some instant: maps that share what is equal, so that a later one costs what changed. */

/** Pages of one group: maps share groups as a whole. */
const GROUP_PAGES = 64;

/** The bytes of neighbouring pages, undefined where all are zero; never changed once a map has them. */
export type PageGroup = readonly (Uint8Array | undefined)[];

/** Pages that are not all zero, by number. */
export class PageMap {
  /** A map in which all pages are zero. */
  static readonly EMPTY: PageMap = new PageMap([], 0);

  private constructor(
    /** Groups by number of their first page / 64; undefined, or beyond the last, where all pages are zero. */
    readonly groups: readonly (PageGroup | undefined)[],
    /** Pages that are not all zero. */
    readonly size: number,
  ) {}

  /** A map of these pages, which are not copied. */
  static of(pages: Iterable<readonly [page: number, bytes: Uint8Array]>): PageMap {
    return PageMap.EMPTY.with(pages);
  }

  /** The bytes of a page; undefined when all are zero. */
  get(page: number): Uint8Array | undefined {
    return this.groups[Math.floor(page / GROUP_PAGES)]?.[page % GROUP_PAGES];
  }

  /** Numbers of the pages that are not all zero, in order. */
  *keys(): Generator<number> {
    for (const [index, group] of this.groups.entries()) {
      if (group === undefined) continue;
      for (let at = 0; at < GROUP_PAGES; at++) if (group[at] !== undefined) yield index * GROUP_PAGES + at;
    }
  }

  /** This map with other bytes for some pages, which are not copied; undefined for zeros. */
  with(changes: Iterable<readonly [page: number, bytes: Uint8Array | undefined]>): PageMap {
    const groups = [...this.groups], own = new Map<number, (Uint8Array | undefined)[]>();
    let { size } = this;
    for (const [page, bytes] of changes) {
      const index = Math.floor(page / GROUP_PAGES), at = page % GROUP_PAGES;
      let group = own.get(index);
      if (group === undefined) {
        group = groups[index]?.slice() ?? new Array(GROUP_PAGES).fill(undefined);
        own.set(index, group);
        while (groups.length < index) groups.push(undefined);
        groups[index] = group;
      }
      size += (bytes === undefined ? 0 : 1) - (group[at] === undefined ? 0 : 1);
      group[at] = bytes;
    }
    return own.size === 0 ? this : new PageMap(groups, size);
  }

  /** Numbers of the pages whose bytes are not the same array in another map, in order. */
  *differing(other: PageMap): Generator<number> {
    const count = Math.max(this.groups.length, other.groups.length);
    for (let index = 0; index < count; index++) {
      const group = this.groups[index], others = other.groups[index];
      if (group === others) continue;
      for (let at = 0; at < GROUP_PAGES; at++) {
        if (group?.[at] !== others?.[at]) yield index * GROUP_PAGES + at;
      }
    }
  }
}
