/**
 * gva-scan: lists what a guest's virtual addresses lead to, by the PE's own translation (US20190026232A1, US10642751).
 *
 * The operator's command `gva-scan` scans the address space of the CPU whose turn it is, at the step boundary at which
 * it comes; with the option `at` the monitor does it by itself at its first exits after given times. All found runs are
 * events `addressRangeScanned`, followed by `addressSpaceScanned` with what it took. Software at EL2 does this on a PE
 * that holds the guest's registers, with AT S1E1R, AT S12E1R and PAR_EL1 (Arm ARM D8.2, C5.4); see `scanner.ts` here.
 *
 * The guest cannot tell: PAR_EL1 is put back and a command takes no virtual time. What cannot be scanned is refused with
 * the reason, and nothing changed; a scan that a guest's tables make endless ends at `limit` and says where.
 */
import { z } from "zod";
import { InputRefusedError } from "../../machine/errors.ts";
import { u32 } from "../../machine/layout.ts";
import { PAGE_SIZE } from "../../machine/memory/physical.ts";
import { type Section, sectionLayout } from "../../machine/snapshot.ts";
import { El2Monitor } from "../el2_monitor.ts";
import type { TrapMonitor } from "../monitor.ts";
import { MEMORY_RWX } from "../stage2_attributes.ts";
import { type MonitorSystem, systemRow } from "../system.ts";
import type { Vcpu } from "../vcpu.ts";
import { addressSpaceOf, ScanRefusedError } from "./gva_scan/halves.ts";
import { SCAN_LIMIT, scanAddressSpace } from "./gva_scan/scanner.ts";
import { CpuTranslationPort } from "./gva_scan/translation_port.ts";

const layout = sectionLayout("gva-scan", 1, { done: u32 });

const MICROSECOND = 1000;
/** Most times of `at`. */
const MOST_TIMES = 64;

const limit = z.string().regex(/^[1-9][0-9]{0,8}$/, "expected 1 to 999999999").transform(Number);
const address = z.string().regex(/^0x[0-9a-f]{1,16}$/i, "expected an address such as 0xffff800008000000")
  .transform(BigInt);
const times = z.string().regex(
  /^[0-9]{1,12}(\/[0-9]{1,12})*$/,
  "expected microseconds of virtual time, with / between several",
)
  .transform((text) => text.split("/").map((time) => Number(time) * MICROSECOND).sort((a, b) => a - b))
  .refine((all) => all.length <= MOST_TIMES, `expected at most ${MOST_TIMES} times`);

/** `limit`: the most AT instructions of a scan. `at`: virtual times, in microseconds, at whose next exits to scan. */
const optionsSchema = z.strictObject({
  limit: limit.default(SCAN_LIMIT),
  at: times.default([]),
});
/** What may stand behind the command: `from=ADDRESS` goes on where a scan ended. */
const wordsSchema = z.strictObject({ limit: limit.optional(), from: address.optional() });

type Options = z.output<typeof optionsSchema>;
type Words = z.output<typeof wordsSchema>;

function readWords(words: readonly string[]): Words {
  const entries = words.map((word) => {
    const at = word.indexOf("=");
    return at < 0 ? [word, ""] : [word.slice(0, at), word.slice(at + 1)];
  });
  const parsed = wordsSchema.safeParse(Object.fromEntries(entries));
  if (parsed.success) return parsed.data;
  const issues = parsed.error.issues.map(({ path, message }) => [...path, message].join(": "));
  throw new InputRefusedError(`Cannot scan: ${issues.join("; ")}; use gva-scan [limit=N] [from=ADDRESS]`);
}

/** The system in one monitor. */
class GvaScan implements MonitorSystem {
  readonly slug = "gva-scan";
  /** How many of the times of `at` have been. */
  #done = 0;

  constructor(private readonly options: Options, private readonly monitor: TrapMonitor) {}

  reset(): void {
    this.#done = 0;
  }

  prepareCommand(vcpu: Vcpu, words: readonly string[]): () => void {
    const chosen = readWords(words);
    try {
      addressSpaceOf(new CpuTranslationPort(vcpu.cpu).registers());
    } catch (error) {
      if (error instanceof ScanRefusedError) throw new InputRefusedError(error.message);
      throw error;
    }
    return () => this.#scan(vcpu, chosen);
  }

  returning(vcpu: Vcpu): void {
    const { at } = this.options, { now } = this.monitor.site.clock;
    const due = at.filter((time) => time <= now).length;
    if (due <= this.#done) return;
    this.#done = due;
    try {
      this.#scan(vcpu, {});
    } catch (error) {
      if (!(error instanceof ScanRefusedError)) throw error;
      const fields = { reason: error.message.slice(0, 256) };
      this.monitor.site.events.emit("addressScanRefused", vcpu.index, fields);
    }
  }

  /** RAM that stage 2 does not have, because somebody took it out: a walk of the guest's tables brings it back. */
  #back(ipa: bigint): boolean {
    const { monitor } = this, address = Number(ipa), page = address - address % PAGE_SIZE;
    if (!(monitor instanceof El2Monitor)) return false;
    const { ram, stage2, bus } = monitor.space;
    const isRam = address >= ram.base && address < ram.base + ram.size;
    if (!isRam || bus.find(address) !== undefined || stage2.lookup(address) !== undefined) return false;
    // Nothing was there that a TLB could hold, so that it does not matter at which level the CPU is.
    stage2.map(undefined, page, page, PAGE_SIZE, MEMORY_RWX);
    return true;
  }

  #scan({ cpu }: Vcpu, { limit = this.options.limit, from = 0n }: Words): void {
    const { events } = this.monitor.site;
    const summary = scanAddressSpace(
      new CpuTranslationPort(cpu, (ipa) => this.#back(ipa)),
      ({ size, ...run }) => events.emit("addressRangeScanned", cpu.index, { ...run, size: Number(size) }),
      { limit, from },
    );
    const { next, ...counts } = summary;
    events.emit("addressSpaceScanned", cpu.index, {
      ...counts,
      isComplete: next === undefined,
      next: next ?? 0n,
    });
  }

  save(): Section {
    return layout.encode(this.monitor.sectionName(this.slug), { done: this.#done });
  }

  restore(section: Section): void {
    this.#done = layout.decode(section).done;
  }
}

/** The row of the system. */
export const GVA_SCAN = systemRow({
  slug: "gva-scan",
  levels: [2],
  options: optionsSchema,
  build: (options: Options, monitor) => new GvaScan(options, monitor),
});
