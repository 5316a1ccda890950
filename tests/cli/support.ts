/** A process that is none, and a small guest, for the tests of the commands. */
import { assertEquals } from "@std/assert";
import { BrokenPipeError, type Host, type Keyboard, type Output } from "../../cli/host/host.ts";
import { main } from "../../cli/main.ts";
import { assembleProgram, type Program } from "../../machine/a64/program.ts";

/** Where a flat `-kernel` begins. */
const KERNEL_BASE = 0x40080000n;

/**
 * Writes `> `, then echoes what is typed, sleeping between keys; Enter gives a new prompt. `t` sleeps 10 ms by a timer
 * and writes `!`, `q` powers off, `r` resets, `e` exits with code 7 by semihosting, `u` executes what is undefined.
 */
const GUEST = `
        .equ    UART, 0x09000000
        .equ    GICD, 0x08000000
        .equ    GICC, 0x08010000
start:  ldr     x20, =UART
        ldr     x21, =GICD
        ldr     x22, =GICC
        adr     x0, vectors
        msr     VBAR_EL1, x0
        mov     w0, #1
        str     w0, [x21]                       // the distributor forwards
        str     w0, [x22]                       // and so does the CPU's interface
        mov     w0, #0xff
        str     w0, [x22, #4]                   // of every priority
        mov     w0, #2
        str     w0, [x21, #0x104]               // the UART's interrupt 33
        mov     w0, #0x0100
        str     w0, [x21, #0x820]               // to cpu0
        mov     w0, #0x08000000
        str     w0, [x21, #0x100]               // the virtual timer's interrupt 27
        mov     w0, #0x301
        str     w0, [x20, #0x30]
        mov     w0, #0x10
        str     w0, [x20, #0x38]                // an interrupt for each byte
prompt: mov     w0, #'>'
        str     w0, [x20]
        mov     w0, #' '
        str     w0, [x20]
wait:   wfi
next:   ldr     w0, [x20, #0x18]
        tbnz    w0, #4, wait                    // nothing received
        ldr     w0, [x20]
        str     w0, [x20]
        cmp     w0, #'t'
        b.eq    timer
        cmp     w0, #'q'
        b.eq    off
        cmp     w0, #'r'
        b.eq    reset
        cmp     w0, #'e'
        b.eq    exit
        cmp     w0, #'u'
        b.eq    undefined
        cmp     w0, #13
        b.eq    prompt
        b       next
timer:  ldr     x0, =625000
        msr     CNTV_TVAL_EL0, x0
        mov     x0, #1
        msr     CNTV_CTL_EL0, x0
1:      wfi
        mrs     x0, CNTV_CTL_EL0
        tbz     x0, #2, 1b
        msr     CNTV_CTL_EL0, xzr
        mov     w0, #'!'
        str     w0, [x20]
        b       next
off:    ldr     x0, =0x84000008
        hvc     #0
reset:  ldr     x0, =0x84000009
        hvc     #0
exit:   mov     x0, #0x18
        adr     x1, code
        hlt     #0xf000
undefined:
        .word   0
        b       next
        .align  3
code:   .quad   0x20026, 7
        .align  11
vectors:
        .org    vectors + 0x200                 // synchronous, same level
        mrs     x0, ELR_EL1
        add     x0, x0, #4
        msr     ELR_EL1, x0
        eret
        .org    vectors + 0x800
`;

let guest: Program | undefined;

/** The guest with its labels, where `-kernel` puts it. */
export function guestProgram(): Program {
  return guest ??= assembleProgram(GUEST, { name: "guest", base: KERNEL_BASE });
}

/** The guest, for `-kernel`. */
export function guestImage(): Uint8Array {
  return guestProgram().bytes;
}

/** What a fake process is given. */
export interface FakeOptions {
  /** Standard input is a terminal. */
  readonly isTerminal?: boolean;
  /** Texts that arrive, each at its millisecond; by default none. */
  readonly typed?: readonly (readonly [milliseconds: number, text: string])[];
  /** Ctrl-C comes at this millisecond. */
  readonly interruptedAt?: number;
  /** Standard output breaks after this many bytes. */
  readonly breaksAfter?: number;
  /** Milliseconds that pass between two looks at the clock. */
  readonly tick?: number;
}

/** A host whose clock moves when it is looked at, and jumps when it sleeps. */
export class FakeHost implements Host {
  /** All that was written to standard output. */
  out = "";
  /** All that was written to standard error. */
  err = "";
  /** The terminal's mode. */
  isRaw = false;
  readonly stdin: Keyboard;
  readonly stdout: Output;
  readonly stderr: Output;
  #time = 0;
  #written = 0;
  #typed: (readonly [number, string])[];
  #onBytes: ((bytes: Uint8Array) => void) | undefined;
  #onEnd: (() => void) | undefined;
  readonly #onInterrupt = new Set<() => void>();
  #interruptAt: number;

  constructor(private readonly options: FakeOptions = {}) {
    const output = (write: (text: string) => void): Output => ({
      isTerminal: false,
      isColoured: false,
      write: (data) => write(typeof data === "string" ? data : new TextDecoder().decode(data)),
    });
    this.stdout = output((text) => {
      this.#written += text.length;
      if (this.#written > (options.breaksAfter ?? Infinity)) throw new BrokenPipeError("broken");
      this.out += text;
    });
    this.stderr = output((text) => void (this.err += text));
    this.stdin = {
      isTerminal: options.isTerminal ?? false,
      setRaw: (isRaw) => void (this.isRaw = isRaw),
      start: (onBytes, onEnd) => {
        this.#onBytes = onBytes;
        this.#onEnd = onEnd;
      },
    };
    this.#typed = [...options.typed ?? []];
    this.#interruptAt = options.interruptedAt ?? Infinity;
  }

  now(): number {
    return this.#time += this.options.tick ?? 0.25;
  }
  secondsNow(): number {
    return 1_800_000_000;
  }
  randomSeed(): number {
    return 4;
  }

  /** Hands over what has come by now. */
  #deliver(): void {
    while (this.#typed.length > 0 && this.#typed[0]![0] <= this.#time && this.#onBytes !== undefined) {
      this.#onBytes(new TextEncoder().encode(this.#typed.shift()![1]));
    }
    if (this.#interruptAt <= this.#time) {
      this.#interruptAt = Infinity;
      for (const listener of this.#onInterrupt) listener();
    }
    if (this.#typed.length > 0 || this.options.isTerminal) return;
    this.#onEnd?.();
    this.#onEnd = undefined;
  }

  breathe(): Promise<void> {
    this.#deliver();
    return Promise.resolve();
  }

  sleep(milliseconds: number, until: AbortSignal): Promise<void> {
    if (until.aborted) return Promise.resolve();
    const next = Math.min(this.#typed[0]?.[0] ?? Infinity, this.#interruptAt);
    this.#time = Math.max(this.#time, Math.min(this.#time + milliseconds, next));
    this.#deliver();
    return Promise.resolve();
  }

  onInterrupt(listener: () => void): () => void {
    this.#onInterrupt.add(listener);
    return () => void this.#onInterrupt.delete(listener);
  }
}

/** What a command did. */
export interface Outcome {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Carries out a command line in this process. */
export async function hindsight(args: readonly string[], options: FakeOptions = {}): Promise<Outcome> {
  const host = new FakeHost(options);
  const code = await main(args, host);
  if (host.isRaw) throw new Error("the terminal was left in raw mode");
  return { code, out: host.out, err: host.err };
}

/** A folder for the files of a test, with the guest in it. */
export class TestFolder {
  readonly #path = Deno.makeTempDirSync();

  constructor() {
    this.write("guest.bin", guestImage());
  }

  /** The path of a file in it. */
  path(name: string): string {
    return `${this.#path}/${name}`;
  }

  /** Writes a file and returns its path. */
  write(name: string, contents: string | Uint8Array): string {
    const bytes = typeof contents === "string" ? new TextEncoder().encode(contents) : contents;
    Deno.writeFileSync(this.path(name), bytes);
    return this.path(name);
  }

  /** The options of a recording of the guest. */
  record(name: string, ...more: string[]): string[] {
    return [
      "record",
      "-kernel",
      this.path("guest.bin"),
      "-m",
      "8",
      "-semihosting",
      "-o",
      this.path(name),
      ...more,
    ];
  }

  /** Removes it. */
  [Symbol.dispose](): void {
    Deno.removeSync(this.#path, { recursive: true });
  }
}

/** Records a script; fails when that fails. */
export async function record(
  folder: TestFolder,
  name: string,
  text: string,
  ...more: string[]
): Promise<string> {
  const { code, err } = await hindsight(
    folder.record(name, "--script", folder.write(`${name}.script`, text), ...more),
  );
  assertEquals(code, 0, err);
  return folder.path(name);
}

/** Answers the guest's prompt, and ends it. */
export const ECHO = 'expect "> "\nsend "au\\r"\nexpect "\\r> "\nsend "q"\n';
