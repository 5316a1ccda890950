/** Maintenance of one page's frame, each as an event; what is left out on purpose is told all the same. */
import type { Cpu } from "../../../machine/cpu/cpu.ts";
import { peekSystemRegister } from "../../../machine/cpu/system_registers.ts";
import type { EventHub } from "../../../machine/events.ts";
import { PAGE_SIZE } from "../../../machine/memory/physical.ts";
import {
  cacheTypeOf,
  cleanData,
  flushEverything,
  invalidateInstructions,
  writeBackData,
} from "../../cache_maintenance.ts";
import type { IcacheOnFaultOptions } from "./options.ts";

/** Lines of an instruction cache that is invalidated as a whole, which no range tells. */
const UNKNOWN_LINES = 0;

/** What is done before a page is mapped. */
export class PageMaintenance {
  /** `options` says what is left out, and whether ranges are known. */
  constructor(
    private readonly events: EventHub,
    private readonly options: Pick<IcacheOnFaultOptions, "flush" | "omit">,
  ) {}

  #tell(cpu: Cpu, cache: "data" | "instruction", operation: string, physical: number, lines: number): void {
    this.events.emit("rangeMaintained", cpu.index, { cache, operation, physical: BigInt(physical), lines });
  }

  /** The page is about to be executed, by a guest whose caches are on (`cached`) or off. */
  forFetches(cpu: Cpu, frame: number, cached: boolean): void {
    if (this.options.flush === "everything") return this.#everything(cpu);
    this.forData(cpu, frame, cached);
    const type = cacheTypeOf(peekSystemRegister(cpu, "CTR_EL0"));
    const lines = this.options.omit === "ic"
      ? PAGE_SIZE / type.instructionLine
      : invalidateInstructions(cpu, type, frame, PAGE_SIZE);
    if (lines >= 0) this.#tell(cpu, "instruction", "IC IVAU", frame, lines);
    else this.#tell(cpu, "instruction", "IC IALLUIS", 0, UNKNOWN_LINES);
  }

  /** The page is about to be read or written, or walked; who reads past the caches needs it cleaned to memory. */
  forData(cpu: Cpu, frame: number, cached: boolean): void {
    const type = cacheTypeOf(peekSystemRegister(cpu, "CTR_EL0")), clean = cached ? cleanData : writeBackData;
    const lines = this.options.omit === "dc" ? PAGE_SIZE / type.dataLine : clean(cpu, type, frame, PAGE_SIZE);
    this.#tell(cpu, "data", cached ? "DC CVAU" : "DC CIVAC", frame, lines);
  }

  #everything(cpu: Cpu): void {
    const { data, instruction } = flushEverything(cpu);
    this.#tell(cpu, "data", "DC CISW", 0, data);
    this.#tell(cpu, "instruction", "IC IALLUIS", 0, instruction);
  }
}
