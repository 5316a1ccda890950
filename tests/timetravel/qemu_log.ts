/** `export --format qemu-log` beside what QEMU itself writes for the same small guest. */
import { assembleProgram } from "../../machine/a64/program.ts";
import { hindsight } from "../boots/hindsight.ts";
import { PLAIN, QEMU } from "../boots/qemu.ts";
import type { Row, RowContext } from "./row.ts";

/** Takes one exception of each of several classes, and an interrupt of the virtual timer, in a loop of EL0 and EL1. */
const GUEST = `
        adr     x0, vectors
        msr     VBAR_EL1, x0
        mov     x3, #0
        svc     #3
        .word   0                               // undefined
        adr     x5, data
        ldp     x6, x7, [x5]
        str     x6, [x5, #8]!
        mov     x9, #0x0000ffffffff0000
        ldr     x9, [x9]                        // no such memory
        fmov    d0, x6                          // trapped
        brk     #7
        hvc     #1
        smc     #1
        msr     SPSR_EL1, xzr
        adr     x0, user
        msr     ELR_EL1, x0
        eret
user:   svc     #9
        mrs     x1, VBAR_EL1                    // undefined at EL0
        adds    x3, x3, #1
        mrs     x1, CurrentEL
        svc     #10
        .align  3
data:   .quad   0x1122334455667788, 0x99
        .align  11
vectors:
        .org    vectors + 0x200
        b       handle
        .org    vectors + 0x400
handle: mrs     x2, ELR_EL1
        mrs     x4, ESR_EL1
        and     x8, x4, #0xffff
        lsr     x4, x4, #26
        cmp     x4, #0x15
        b.ne    1f
        cmp     x8, #10
        b.ne    2f
        ldr     x0, =0x84000008
        hvc     #0
1:      add     x2, x2, #4
        msr     ELR_EL1, x2
2:      eret
        .org    vectors + 0x800
`;

/** What is compared: each step's CPU and PC, what was translated, and every line about exceptions. */
function facts(log: string): string[] {
  const found: string[] = [];
  for (const line of log.split("\n")) {
    const [, cpu, pc] =
      /^Trace (\d+): 0x[0-9a-f]+ \[[0-9a-f]+\/([0-9a-f]+)\/[0-9a-f]+\/[0-9a-f]+\] /.exec(line) ?? [];
    if (pc !== undefined) found.push(`Trace ${cpu} ${pc}`);
    const [, address, word] = /^0x([0-9a-f]+): {2}([0-9a-f]{8}) {2}\S/.exec(line) ?? [];
    if (word !== undefined) found.push(`code ${address} ${word}`);
    if (/^(Taking exception|Exception return|\.\.\.)/.test(line)) found.push(line.trimEnd());
  }
  return found;
}

async function run({ folder, tell, check }: RowContext): Promise<void> {
  const image = `${folder}/guest.bin`, [ours, theirs] = [`${folder}/ours.log`, `${folder}/theirs.log`];
  await Deno.writeFile(image, assembleProgram(GUEST, { base: 0x40080000n }).bytes);
  const machine = ["-M", "virt", "-cpu", "cortex-a57", "-m", "128", "-kernel", image];
  await hindsight(["record", ...machine, "-o", `${folder}/run`], { seconds: 60 });
  await hindsight(["export", `${folder}/run`, "--format", "qemu-log", "-o", ours]);
  const log = [...PLAIN, "-singlestep", "-d", "in_asm,exec,int,nochain", "-D", theirs, "-no-reboot"];
  const qemu = new Deno.Command(QEMU, {
    args: [...machine, ...log],
    stdin: "null",
    stdout: "null",
    stderr: "piped",
    signal: AbortSignal.timeout(30_000),
  });
  const { code, stderr } = await qemu.output();
  check("QEMU powers off", code === 0, `exit code ${code}: ${new TextDecoder().decode(stderr).trim()}`);
  const [left, right] = [ours, theirs].map((path) => facts(Deno.readTextFileSync(path)));
  const index = left!.findIndex((line, at) => line !== right![at]);
  const kinds = new Set(right!.flatMap((line) => /^Taking exception (\d+)/.exec(line)?.[1] ?? []));
  tell(`${right!.length} lines of QEMU's log, exceptions ${[...kinds].join(", ")}`);
  check("both logs tell of exceptions", kinds.size >= 5, [...kinds].join());
  check(
    "the exported log has the same steps, words and exceptions as QEMU's",
    index < 0 && left!.length === right!.length,
    `line ${index}: "${left![index]}", QEMU "${right![index]}", after "${left![index - 1]}"`,
  );
}

/** The row. */
export const qemuLog: Row = {
  name: "qemu-log",
  question: "is an exported QEMU log what QEMU writes?",
  isQuick: true,
  run,
};
