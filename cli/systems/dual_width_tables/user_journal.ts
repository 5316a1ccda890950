/**
 * What processes see of a run: their system calls and results, their faults, and what the console wrote; not how the
 * kernel came to it. So runs of different kernels can be compared.
 */
import type { KernelForm } from "../../../firmware/dual_width/layout.ts";
import type { DualWidthImage } from "../../../firmware/dual_width/image.ts";
import { Replay } from "../../../journal/replay.ts";
import { hex } from "../../../machine/address.ts";
import { INDEX } from "../../../machine/cpu/system_register_index.ts";
import type { AnyFields, EventKind, EventObserver } from "../../../machine/events.ts";
import type { Machine, MachineOptions } from "../../../machine/machine.ts";
import type { Recorded } from "../scenario.ts";

const EC_SVC = 0x15n;

/** Gathers the journal of a machine that is running; lines of a process begin with its number. */
export class UserJournal {
  /** What happened, in order. */
  readonly lines: string[] = [];
  readonly #waiting = new Set<number>();
  readonly #pids: ReadonlyMap<bigint, number>;
  #text = "";
  readonly #observer: EventObserver = {
    classes: ["trap", "device"],
    observe: () => {},
    observeParts: (kind, _instant, _cpu, _index, fields) => this.#take(kind, fields),
  };

  /** Listens to `machine` from now on. */
  constructor(private readonly machine: Machine, private readonly form: KernelForm, image: DualWidthImage) {
    this.#pids = new Map(image.processes.map(({ pid, root }) => [BigInt(root), pid]));
    machine.board.events.add(this.#observer);
  }

  /** Listens no more. */
  close(): void {
    this.machine.board.events.remove(this.#observer);
  }

  /** The process whose tables EL0 uses: known by what the architecture has, not by the kernel's variables. */
  get #pid(): number {
    const { system } = this.#registers;
    const root = system[this.form === "vhe" ? INDEX.TTBR0_EL2 : INDEX.TTBR0_EL1] as bigint;
    return this.#pids.get(root) ?? 0;
  }

  get #registers() {
    return this.machine.currentCpu.registers;
  }

  #take(kind: EventKind, fields: AnyFields): void {
    if (kind === "exceptionTaken" && fields["from"] === 0 && fields["exception"] === "synchronous") {
      this.#taken(fields as { syndrome: bigint; faultAddress: bigint; returnAddress: bigint });
    } else if (kind === "exceptionReturned" && fields["to"] === 0) {
      this.#returned(fields["address"] as bigint);
    } else if (kind === "deviceWritten" && fields["device"] === "uart0") {
      this.#wrote(Number(fields["value"]));
    }
  }

  #taken({ syndrome, faultAddress, returnAddress }: Record<string, bigint>): void {
    const pid = this.#pid, { x } = this.#registers;
    this.#waiting.add(pid);
    const place = `${hex(returnAddress as bigint)}, sp ${
      hex(this.#registers.system[INDEX.SP_EL0] as bigint)
    }`;
    if ((syndrome as bigint) >> 26n !== EC_SVC) {
      this.lines.push(`${pid}: fault ${hex(syndrome as bigint)} at ${hex(faultAddress as bigint)}, ${place}`);
      return;
    }
    const read = (n: number) => x.call(this.#registers, n);
    const args = [0, 1, 2, 3, 4, 5].map((n) => hex(read(n))).join(", ");
    this.lines.push(`${pid}: call ${read(8)}(${args}), ${place}`);
  }

  #returned(address: bigint): void {
    const pid = this.#pid;
    // After an interrupt nothing is waited for, and the process sees nothing.
    if (!this.#waiting.delete(pid)) return;
    this.lines.push(`${pid}: = ${hex(this.#registers.x(0))}, at ${hex(address)}`);
  }

  #wrote(byte: number): void {
    this.#text += String.fromCharCode(byte);
    if (byte !== 10) return;
    this.lines.push(`console ${JSON.stringify(this.#text)}`);
    this.#text = "";
  }
}

/** The journal of a recorded run, and the machine at its end. */
export function userJournal(
  { run, images }: Recorded,
  form: KernelForm,
  image: DualWidthImage,
  options: MachineOptions,
): { lines: readonly string[]; machine: Machine } {
  const replay = new Replay(run, images, options);
  const { lines } = new UserJournal(replay.machine, form, image);
  replay.runToEnd();
  return { lines, machine: replay.machine };
}

/** The first line that differs, as text; undefined when there is none. */
export function firstDifference(
  left: readonly string[],
  right: readonly string[],
  names: readonly [string, string],
): string | undefined {
  const at = left.findIndex((line, index) => line !== right[index]);
  const index = at < 0 && left.length < right.length ? left.length : at;
  if (index < 0) return undefined;
  const show = (line: string | undefined) => line === undefined ? "nothing more" : `"${line}"`;
  return `line ${index + 1}: ${names[0]} has ${show(left[index])}, ${names[1]} ${show(right[index])}`;
}
