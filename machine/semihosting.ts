/** Semihosting for AArch64, the debugger's side of HLT #0xF000: console, time and exit; there are no host files. */
import type { AddressRange } from "./boot_images.ts";
import type { Clock } from "./clock.ts";
import type { EventHub } from "./events.ts";
import { listOf, oneOf, record, u32 } from "./layout.ts";
import { fail, FileTable, HANDLE_LIMIT, SemihostingError } from "./semihosting_files.ts";
import { readWords, type SemihostingMemory } from "./semihosting_memory.ts";
import { SEMIHOSTING_OPERATIONS } from "./semihosting_operations.ts";
import { type Section, sectionLayout } from "./snapshot.ts";

/** What semihosting needs of the machine. */
export interface SemihostingServices {
  /** Virtual time. */
  readonly clock: Clock;
  /** Where `semihostingCalled` goes. */
  readonly events: EventHub;
  /** Real time at power-on, in seconds since 1970. */
  readonly rtcBase: number;
  /** Free RAM, for SYS_HEAPINFO (see BootPlan.heap). */
  readonly heap: AddressRange;
  /** For SYS_GET_CMDLINE. */
  readonly commandLine: string;
  /** A byte for the console. */
  consoleWrite(byte: number): void;
  /** The next byte typed, or -1 when there is none now; SYS_READC then returns −1 where a debugger would wait. */
  consoleRead(): number;
  /** Ends the run with an exit code of 32 bits. */
  exit(code: number): void;
}

const FAILED = BigInt.asUintN(64, -1n);

const layout = sectionLayout("semihosting", 1, {
  errno: u32,
  files: listOf(
    record({ file: oneOf("closed", "input", "output", "features"), position: u32 }),
    HANDLE_LIMIT,
  ),
});

/** Semihosting with its open files and its error number. */
export class Semihosting {
  #table = new FileTable();
  #errno = 0;

  /** A new one has no open files. */
  constructor(private readonly services: SemihostingServices) {}

  /** Back to the power-on state. */
  reset(): void {
    this.#table.files = [];
    this.#errno = 0;
  }

  /**
   * Answers HLT #0xF000 of CPU number `cpu`: `operation` is X0 (its low 32 bits count), `parameter` X1; the result is
   * the new X0. What the guest asks for in vain gives −1 and an error number; nothing is thrown.
   */
  call(cpu: number, memory: SemihostingMemory, operation: bigint, parameter: bigint): bigint {
    const number = Number(operation & 0xffff_ffffn);
    let exitCode: number | undefined;
    const result = this.#run(memory, number, parameter, (code) => void (exitCode = code));
    this.services.events.emit("semihostingCalled", cpu, { operation: number, parameter, result });
    if (exitCode !== undefined) this.services.exit(exitCode);
    return result;
  }

  #run(memory: SemihostingMemory, number: number, parameter: bigint, exit: (code: number) => void): bigint {
    const { services } = this;
    const [table, errno] = [this.#table, this.#errno];
    try {
      const operation = SEMIHOSTING_OPERATIONS.get(number) ?? fail("ENOSYS");
      const words = readWords(memory, parameter, operation.words);
      return BigInt.asUintN(64, operation.run({ services, table, errno, memory, parameter, exit, words }));
    } catch (error) {
      if (!(error instanceof SemihostingError)) throw error;
      this.#errno = error.errno;
      return FAILED;
    }
  }

  /** Open files and the error number as a section. */
  save(): Section {
    return layout.encode("semihosting", { errno: this.#errno, files: this.#table.files });
  }

  /** Restores what `save` gave. */
  restore(section: Section): void {
    const { errno, files } = layout.decode(section);
    this.#errno = errno;
    this.#table.files = files;
  }
}
