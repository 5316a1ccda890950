/**
 * Memory-mapped devices as functions of PCI, by a configuration space that is not there: el3-ecam (US10534732B2).
 *
 * The window of configuration space (ECAM) has no backing. With SCR_EL3.EA set, the synchronous External abort of an
 * access from EL0, EL1 or EL2 is taken to EL3 (Arm ARM D1.13.4) with ISV = 0: the monitor reads the instruction that
 * ELR_EL3 points to by AT, takes it apart, translates FAR_EL3, does the cycle on the device's function, writes Rt and
 * returns behind the instruction. What moves more than one general register, or writes its base register back, or is not
 * aligned, is an abort at the level that it came from. A monitor at EL2 serves the same window by stage 2 aborts (ISV = 1).
 *
 * The devices are the NVMe controllers of `-device nvme-mmio`. BAR 0 tells the size of the real registers and always
 * their real address; Enhanced Allocation (PCI Express Base Specification 5.0, 7.8.5) has the system leave it alone. An
 * operator takes a function away and brings it back (`remove NAME`, `add NAME`). Bus Master and Interrupt Disable are
 * held and shown; the device knows nothing of them.
 */
import { z } from "zod";
import { ConfigurationError, InputRefusedError } from "../../../machine/errors.ts";
import { bytes, flag, listOf, record } from "../../../machine/layout.ts";
import { type Section, sectionLayout } from "../../../machine/snapshot.ts";
import { ConfigurationWindow, serveConfiguration } from "../../configuration_window.ts";
import type { Exit } from "../../exit.ts";
import type { TrapMonitor } from "../../monitor.ts";
import { type MonitorSystem, type SystemRow, systemRow } from "../../system.ts";
import type { Vcpu } from "../../vcpu.ts";
import { ShimFunction } from "./shim_function.ts";
import { bdfOf, blocksOf, describeHost, ECAM } from "./window.ts";

/** SCR_EL3.EA: External aborts go to EL3. */
const SCR_EA = 1n << 3n;
/** ISS of a data abort: FnV, S1PTW; DFSC: a synchronous External abort that is not on a walk, a translation fault. */
const FNV = 1 << 10, S1PTW = 1 << 7, STATUS = 0x3f, EXTERNAL_ABORT = 0x10, TRANSLATION = 0b000100, LEVEL = 3;

const layout = sectionLayout("el3-ecam", 1, {
  functions: listOf(record({ isPresent: flag, state: bytes(2 ** 13) }), 32),
});

/** Serves configuration space. */
export class El3Ecam implements MonitorSystem {
  readonly slug = "el3-ecam";
  readonly exits: NonNullable<MonitorSystem["exits"]> = {
    dataAbortLower: (vcpu, exit) => isAccess(vcpu, exit) && serveConfiguration(vcpu, this.#windows),
  };
  readonly #monitor: TrapMonitor;
  readonly #functions: readonly ShimFunction[];
  readonly #absent: readonly string[];
  readonly #windows: readonly ConfigurationWindow[];

  /** Makes a function for each device; those named in `absent` are not there at power-on. Throws ConfigurationError. */
  constructor(monitor: TrapMonitor, absent: readonly string[]) {
    const { site } = monitor, { events } = site;
    this.#monitor = monitor;
    this.#absent = absent;
    this.#functions = blocksOf(site.board).map((row) => new ShimFunction(row, site));
    if (this.#functions.length === 0) {
      throw new ConfigurationError(
        "Cannot enable el3-ecam: there is no device to show; add -device nvme-mmio,drive=ID",
      );
    }
    for (const name of absent) {
      if (this.#functions.every((each) => each.name !== name)) {
        throw new ConfigurationError(`Cannot enable el3-ecam: absent=${name} is none of ${this.#names}`);
      }
    }
    const places = new Map(this.#functions.map((each, number) => [bdfOf(number), each]));
    const at = (bdf: number): ShimFunction | undefined => {
      const found = places.get(bdf);
      return found?.isPresent === true ? found : undefined;
    };
    this.#windows = [
      new ConfigurationWindow({ events, segment: ECAM.segment, base: ECAM.base, buses: 1, at }),
    ];
  }

  get #names(): string {
    return this.#functions.map(({ name }) => name).join(", ");
  }

  started(vcpu: Vcpu): void {
    if (vcpu.monitorLevel === 3) vcpu.change("SCR_EL3", SCR_EA);
  }

  prepareCommand(_vcpu: Vcpu, [verb, name, ...rest]: readonly string[]): () => void {
    const found = this.#functions.find((each) => each.name === name);
    if ((verb !== "add" && verb !== "remove") || found === undefined || rest.length > 0) {
      throw new InputRefusedError(`el3-ecam takes "add NAME" and "remove NAME", of ${this.#names}`);
    }
    const isPresent = verb === "add";
    if (found.isPresent === isPresent) {
      throw new InputRefusedError(`${found.name} is ${isPresent ? "there" : "not there"} already`);
    }
    return () => {
      found.isPresent = isPresent;
      found.reset(); // what is plugged in anew knows nothing of before
    };
  }

  reset(): void {
    for (const each of this.#functions) {
      each.isPresent = !this.#absent.includes(each.name);
      each.reset();
    }
  }

  save(): Section {
    return layout.encode(this.#monitor.sectionName(this.slug), {
      functions: this.#functions.map(({ isPresent, state }) => ({ isPresent, state })),
    });
  }

  restore(section: Section): void {
    const { functions } = layout.decode(section);
    if (functions.length !== this.#functions.length) {
      throw new RangeError(
        `Cannot restore el3-ecam: ${functions.length} functions, there are ${this.#functions.length}`,
      );
    }
    for (const [at, each] of this.#functions.entries()) Object.assign(each, functions[at]);
  }
}

/** Nothing answered an access, of which FAR_ELx and HPFAR_EL2 tell the address: no walk of tables. */
function isAccess({ monitorLevel }: Vcpu, { iss, ipa }: Exit): boolean {
  if (monitorLevel === 3) return (iss & (FNV | STATUS)) === EXTERNAL_ABORT;
  return ipa >= 0 && (iss & S1PTW) === 0 && (iss & STATUS & ~LEVEL) === TRANSLATION;
}

const options = z.strictObject({
  /** Names of functions that are not there at power-on, with + between them. */
  absent: z.string().optional(),
});

/** The row. */
export const EL3_ECAM: SystemRow = systemRow<z.output<typeof options>>({
  slug: "el3-ecam",
  levels: [2, 3],
  options,
  describe: (_options, board, root) => describeHost(board, root),
  build: ({ absent }, monitor) => new El3Ecam(monitor, absent?.split("+") ?? []),
});
