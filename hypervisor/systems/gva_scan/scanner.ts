/**
 * Scans a guest's virtual address space with the PE's own translation (US20190026232A1, US10642751; sheet gva-scan).
 *
 * On a PE that holds the guest's EL1&0 registers, software at EL2 asks for one address after the other with
 * AT S1E1R, ISB, MRS PAR_EL1. A translation fault of stage 1 at level L says that nothing is mapped up to the next
 * multiple of what a descriptor of that level spans, so that a table of 512 descriptors costs at most 512 questions,
 * where asking for each page of 48 bits costs 2^36. What is mapped is asked for again with AT S12E1R, for its physical
 * address.
 *
 * PAR_EL1 has no size of a block: where one may begin, at a multiple of its size on both sides, its descriptor is read.
 * A stage 1 table that stage 2 does not map (S = 1, PTW = 1) is mapped and the question asked again; how much to skip is
 * not taken from FST then, which is about the table's address. PAR_EL1 is the guest's, and put back.
 */
import { bitsOf, fieldOf, levelSpan, nextMultiple } from "./address_bits.ts";
import { type AddressSpace, addressSpaceOf, type Half } from "./halves.ts";
import { RunCollector, type RunState, type ScanRun } from "./runs.ts";
import { type Found, searchTables } from "./table_search.ts";
import type { TranslationPort } from "./translation_port.ts";

/** How far a scan goes. */
export interface ScanOptions {
  /** The most AT instructions: a guest whose table is its own entry maps 2^36 pages. 2^22 by default. */
  readonly limit?: number;
  /** First address to look at; 0 by default. */
  readonly from?: bigint;
}

/** What a scan took, and how far it came. */
export interface ScanSummary {
  /** AT S1E1R executed. */
  readonly stage1: number;
  /** AT S12E1R executed. */
  readonly stage2: number;
  /** Descriptors of the guest read for sizes and places. */
  readonly descriptorsRead: number;
  /** Pages mapped in stage 2 because the guest's tables are there. */
  readonly backed: number;
  /** Merged runs found. */
  readonly runs: number;
  /** Where a scan that came to its limit has to go on; undefined when it came to the end. */
  readonly next: bigint | undefined;
}

/** The most AT instructions of a scan by default. */
export const SCAN_LIMIT: number = 2 ** 22;

const PAR_F = 1n, PAR_PTW = 1n << 8n, PAR_S = 1n << 9n, PAR_ADDRESS = (1n << 48n) - (1n << 12n);
const PAR_ATTRIBUTES = (255n << 56n) | (1n << 9n) | (3n << 7n);
/** FST without the level: of translation faults, and of those that say that something is mapped (Arm ARM PAR_EL1.FST). */
const TRANSLATION = 0b0001, ACCESS_FLAG = 0b0010, PERMISSION = 0b0011;
/** AF and S2AP[0] of a leaf of stage 2: without them no walk of stage 1 reads a table there. */
const STAGE2_READABLE = (1n << 10n) | (1n << 6n);
/** FST from here on has no level in bits 1–0, but for external aborts on walks. */
const EXTERNAL = 0b0100, EXTERNAL_ON_WALK = 0b0101;

/** The level of a fault; 3 for those that have none, after which the scan goes on at the next page. */
function levelOf(par: bigint): number {
  const kind = fieldOf(par, 3, 4);
  return kind < EXTERNAL || kind === EXTERNAL_ON_WALK ? fieldOf(par, 1, 2) : 3;
}

/** Descriptors in 4 KiB. */
const DESCRIPTORS = 512n;

/** Scans everything that EL1 can read, from low addresses to high ones; runs are handed over as they are found. */
export function scanAddressSpace(
  port: TranslationPort,
  found: (run: ScanRun) => void,
  options: ScanOptions = {},
): ScanSummary {
  const space = addressSpaceOf(port.registers()), saved = port.save();
  const summary = new Scan(port, space, found, options).run();
  port.restore(saved);
  return summary;
}

/** Output and end of a leaf of stage 2 that was found last: neighbours need no search. */
interface Stage2Leaf {
  readonly first: bigint;
  readonly end: bigint;
}

class Scan {
  readonly #collector: RunCollector;
  readonly #limit: number;
  readonly #from: bigint;
  #stage1 = 0;
  #stage2 = 0;
  #descriptorsRead = 0;
  #backed = 0;
  #runs = 0;
  #leaf: Stage2Leaf = { first: 0n, end: 0n };
  /** The table that was mapped last: if it is missing again, it is a hole. */
  #lastBacked = -1n;

  constructor(
    private readonly port: TranslationPort,
    private readonly space: AddressSpace,
    found: (run: ScanRun) => void,
    { limit = SCAN_LIMIT, from = 0n }: ScanOptions,
  ) {
    this.#limit = limit;
    this.#from = from;
    this.#collector = new RunCollector((run) => {
      this.#runs++;
      found(run);
    });
  }

  run(): ScanSummary {
    const { space } = this;
    if (!space.enabled) this.#add("identity", 0n, 1n << BigInt(space.physicalSize), {});
    let next: bigint | undefined;
    for (const half of space.halves) next ??= this.#scanHalf(half);
    this.#collector.end();
    return {
      stage1: this.#stage1,
      stage2: this.#stage2,
      descriptorsRead: this.#descriptorsRead,
      backed: this.#backed,
      runs: this.#runs,
      next,
    };
  }

  /** Undefined at the half's end, else the address at which the limit stopped it. */
  #scanHalf(half: Half): bigint | undefined {
    const start = this.#from > half.first ? this.#from : half.first;
    const granule = BigInt(half.tables.granule);
    for (let gva = start >> granule << granule; gva < half.end;) {
      if (this.#stage1 + this.#stage2 >= this.#limit) return gva;
      gva = this.#probe(half, gva);
    }
    return undefined;
  }

  /** Asks for one address; the next one to ask for. */
  #probe(half: Half, gva: bigint): bigint {
    this.#stage1++;
    const par = this.port.translate("s1e1r", gva);
    if ((par & PAR_F) === 0n) return this.#mapped(half, gva, par);
    if ((par & PAR_S) !== 0n) return this.#tableMissing(half, gva);
    const kind = fieldOf(par, 3, 4), level = levelOf(par);
    if (kind === EXTERNAL_ON_WALK) return this.#hole(half, gva, level);
    const next = nextMultiple(gva, levelSpan(half.tables.granule, level));
    const end = next < half.end ? next : half.end;
    if (kind === TRANSLATION) return end;
    if (kind !== ACCESS_FLAG && kind !== PERMISSION) this.#add("hole", gva, end - gva, {});
    else this.#add("unaccessed", gva, end - gva, { ipa: this.#search(half, gva).address });
    return end;
  }

  /** No descriptor of `level` can be read here: nor those beside it in the same 4 KiB, the least that memory comes in. */
  #hole(half: Half, gva: bigint, level: number): bigint {
    const next = nextMultiple(gva, DESCRIPTORS * levelSpan(half.tables.granule, level));
    const end = next < half.end ? next : half.end;
    this.#add("hole", gva, end - gva, {});
    return end;
  }

  /** A stage 1 table where stage 2 has nothing: it is mapped, and the same address asked for again. */
  #tableMissing(half: Half, gva: bigint): bigint {
    const { level, kind, address } = this.#search(half, gva);
    if (kind === "unreadable" && address !== this.#lastBacked && this.port.back(address)) {
      this.#lastBacked = address;
      this.#backed++;
      return gva;
    }
    return this.#hole(half, gva, level);
  }

  /** A block or page of stage 1: asks for the physical address of each leaf of stage 2 in it. */
  #mapped(half: Half, gva: bigint, par: bigint): bigint {
    const ipa = par & PAR_ADDRESS, attributes = par & PAR_ATTRIBUTES;
    const end = gva + this.#sizeOf(half, gva, ipa);
    if (this.space.stage2 === undefined) {
      this.#add("mapped", gva, end - gva, { ipa, pa: ipa, attributes });
      return end;
    }
    for (let at = gva; at < end;) {
      // The limit may be passed by the leaves of one block of stage 1.
      at = this.#throughStage2(at, end, ipa + (at - gva), attributes);
    }
    return end;
  }

  /** Bytes of the leaf at an address; it is asked about where a block may begin only. */
  #sizeOf(half: Half, gva: bigint, ipa: bigint): bigint {
    const { granule } = half.tables, page = levelSpan(granule, 3), least = levelSpan(granule, 2);
    if (((gva | ipa) & (least - 1n)) !== 0n) return page;
    const { kind, level } = this.#search(half, gva);
    const span = levelSpan(granule, level);
    return kind === "leaf" && gva % span === 0n ? span : page;
  }

  #throughStage2(gva: bigint, end: bigint, ipa: bigint, attributes: bigint): bigint {
    this.#stage2++;
    const par = this.port.translate("s12e1r", gva);
    const isFault = (par & PAR_F) !== 0n, kind = fieldOf(par, 3, 4);
    const limited = (to: bigint) => gva + (to - ipa) < end ? gva + (to - ipa) : end;
    if (!isFault) {
      const next = limited(this.#stage2End(ipa));
      this.#add("mapped", gva, next - gva, { ipa, pa: par & PAR_ADDRESS, attributes: par & PAR_ATTRIBUTES });
      return next;
    }
    // Of the leaf itself, unlike of a table: here FST is about the address that the guest maps.
    const next = limited(nextMultiple(ipa, levelSpan(this.space.stage2!.granule, levelOf(par))));
    const state: RunState = (par & PAR_S) === 0n || (par & PAR_PTW) !== 0n
      ? "hole"
      : kind === TRANSLATION
      ? "unbacked"
      : kind === ACCESS_FLAG || kind === PERMISSION
      ? "protected"
      : "hole";
    this.#add(state, gva, next - gva, state === "hole" ? {} : { ipa, attributes });
    return next;
  }

  /** Where stage 2's leaf of an address ends: its tables are the monitor's own. */
  #stage2End(ipa: bigint): bigint {
    if (ipa >= this.#leaf.first && ipa < this.#leaf.end) return this.#leaf.end;
    const { granule } = this.space.stage2!, { level } = this.#searchStage2(ipa);
    const end = nextMultiple(ipa, levelSpan(granule, level));
    this.#leaf = { first: ipa, end };
    return end;
  }

  #searchStage2(ipa: bigint): Found {
    return searchTables(this.space.stage2!, ipa, (address) => this.port.read(address));
  }

  /** Follows the guest's descriptors, through stage 2 where that is enabled. */
  #search({ tables }: Half, gva: bigint): Found {
    return searchTables(tables, bitsOf(gva, 0, tables.inputSize), (address) => {
      this.#descriptorsRead++;
      return this.#readGuest(address);
    });
  }

  #readGuest(ipa: bigint): bigint | undefined {
    const { stage2 } = this.space;
    if (stage2 === undefined) return this.port.read(ipa);
    if (ipa >> BigInt(stage2.inputSize) !== 0n) return undefined;
    const { kind, address, descriptor } = this.#searchStage2(ipa);
    const isReadable = kind === "leaf" && (descriptor & STAGE2_READABLE) === STAGE2_READABLE;
    return isReadable ? this.port.read(address) : undefined;
  }

  #add(
    state: RunState,
    gva: bigint,
    size: bigint,
    { ipa = 0n, pa = 0n, attributes = 0n }: Partial<Pick<ScanRun, "ipa" | "pa" | "attributes">>,
  ): void {
    this.#collector.add({ gva, size, state, ipa, pa, attributes });
  }
}
