/** The LPIs of one redistributor: their configuration and pending tables in memory (Arm IHI 0069, sections 5.1 and 12.11). */
import { flag, u32, u64, u8, type ValueOf } from "../layout.ts";
import type { Dma } from "./dma.ts";
import { ID_BITS, LPI_BASE } from "./gic_v3_lpi.ts";

/** What tables hang on. */
export interface LpiTableOptions {
  /** Where the tables are. */
  readonly dma: Pick<Dma, "read" | "write">;
  /** Called after each change that may change outputs. */
  readonly changed: () => void;
}

/** Section fields of the LPIs of a redistributor. */
// deno-fmt-ignore
export const LPI_FIELDS = {
  /** GICR_CTLR.EnableLPIs. */
  enabled:           flag,
  /** GICR_PROPBASER. */
  configurationBase: u64,
  /** GICR_PENDBASER. */
  pendingBase:       u64,
  /** The most urgent LPI that is pending and enabled, 0 when there is none. */
  best:              u32,
  /** Its byte in the configuration table, as it was read. */
  bestConfiguration: u8,
} as const;

/** State of the LPIs of a redistributor; which of them are pending is in memory. */
export type LpiState = ValueOf<typeof LPI_FIELDS>;

/** A byte of the configuration table: priority, and whether the LPI is enabled. */
const CONFIGURATION_ENABLED = 1, CONFIGURATION_PRIORITY = 0xfc;

/** Bits of GICR_PROPBASER: OuterCache, Physical_Address, Shareability, InnerCache, IDbits. */
const PROPBASER = 0x070f_ffff_ffff_ff9fn;
const PROPBASER_ADDRESS = 0x000f_ffff_ffff_f000n, PROPBASER_ID_BITS = 0x1fn;
/** Bits of GICR_PENDBASER; PTZ is written only. */
const PENDBASER = 0x070f_ffff_ffff_0f80n;
const PENDBASER_ADDRESS = 0x000f_ffff_ffff_0000n;

/** Pending and enabled LPIs of one CPU. */
export class GicV3LpiTables {
  /** Everything that is saved. */
  state: LpiState = initialState();

  /** Starts in the power-on state. */
  constructor(private readonly options: LpiTableOptions) {}

  /** Power-on state: disabled. */
  reset(): void {
    this.state = initialState();
  }

  /** The most urgent LPI that is pending, with its byte of the configuration table. */
  get best(): { readonly lpi: number; readonly priority: number } | undefined {
    const { enabled, best, bestConfiguration } = this.state;
    return enabled && best !== 0
      ? { lpi: best, priority: bestConfiguration & CONFIGURATION_PRIORITY }
      : undefined;
  }

  /** Writes GICR_CTLR.EnableLPIs. */
  enable(enabled: boolean): void {
    this.state.enabled = enabled;
    if (enabled) this.#search();
    this.options.changed();
  }

  /** Writes half of GICR_PROPBASER. */
  writeConfigurationBase(value: number, isHigh: boolean): void {
    this.state.configurationBase = withHalf(this.state.configurationBase, value, isHigh) & PROPBASER;
  }

  /** Writes half of GICR_PENDBASER. */
  writePendingBase(value: number, isHigh: boolean): void {
    this.state.pendingBase = withHalf(this.state.pendingBase, value, isHigh) & PENDBASER;
  }

  /** First number that the tables do not hold. */
  get #limit(): number {
    return 2 ** (Math.min(Number(this.state.configurationBase & PROPBASER_ID_BITS), ID_BITS - 1) + 1);
  }

  #holds(lpi: number): boolean {
    return this.state.enabled && lpi >= LPI_BASE && lpi < this.#limit;
  }

  #addressOf(lpi: number): bigint {
    return (this.state.pendingBase & PENDBASER_ADDRESS) + BigInt(lpi >>> 3);
  }

  /** Whether an LPI is pending. */
  isPending(lpi: number): boolean {
    const byte = this.#holds(lpi) ? this.options.dma.read(this.#addressOf(lpi), 1)?.[0] ?? 0 : 0;
    return (byte >>> (lpi & 7) & 1) === 1;
  }

  /** Makes an LPI pending, or no longer; true when that changed something. */
  setPending(lpi: number, pending: boolean): boolean {
    if (!this.#holds(lpi) || this.isPending(lpi) === pending) return false;
    const address = this.#addressOf(lpi);
    const byte = this.options.dma.read(address, 1)?.[0];
    if (byte === undefined) return false;
    this.options.dma.write(address, Uint8Array.of(byte ^ 1 << (lpi & 7)));
    if (pending) this.#consider(lpi);
    else if (lpi === this.state.best) this.#search();
    this.options.changed();
    return true;
  }

  /** Reads the configuration of an LPI, or of all, anew. */
  configurationChanged(lpi: number | "all"): void {
    if (!this.state.enabled || (lpi !== "all" && !this.#holds(lpi))) return;
    this.#search();
    this.options.changed();
  }

  /** Every LPI that is pending, in order. */
  pending(): number[] {
    const limit = this.#limit;
    if (!this.state.enabled || limit <= LPI_BASE) return [];
    const bytes = this.options.dma.read(this.#addressOf(LPI_BASE), (limit - LPI_BASE) / 8);
    if (bytes === undefined) return [];
    const view = new DataView(bytes.buffer);
    const found: number[] = [];
    // Word by word, since nearly all are zero: a guest may have this done thousands of times by one access.
    for (let at = 0; at < view.byteLength; at += 4) {
      for (let word = view.getUint32(at, true); word !== 0; word &= word - 1) {
        found.push(LPI_BASE + at * 8 + 31 - Math.clz32(word & -word));
      }
    }
    return found;
  }

  /** Finds the most urgent one anew. */
  #search(): void {
    this.state.best = 0;
    this.state.bestConfiguration = 0;
    for (const lpi of this.pending()) this.#consider(lpi);
  }

  /** Takes an LPI for the most urgent one if it is. */
  #consider(lpi: number): void {
    const address = (this.state.configurationBase & PROPBASER_ADDRESS) + BigInt(lpi - LPI_BASE);
    const configuration = this.options.dma.read(address, 1)?.[0] ?? 0;
    if (!(configuration & CONFIGURATION_ENABLED)) return;
    const { best, bestConfiguration } = this.state;
    const difference = (configuration & CONFIGURATION_PRIORITY) -
      (bestConfiguration & CONFIGURATION_PRIORITY);
    if (best !== 0 && (difference > 0 || (difference === 0 && lpi >= best))) return;
    this.state.best = lpi;
    this.state.bestConfiguration = configuration;
  }
}

function initialState(): LpiState {
  return { enabled: false, configurationBase: 0n, pendingBase: 0n, best: 0, bestConfiguration: 0 };
}

function withHalf(register: bigint, value: number, isHigh: boolean): bigint {
  const half = BigInt(value >>> 0);
  return isHigh ? half << 32n | BigInt.asUintN(32, register) : register >> 32n << 32n | half;
}
