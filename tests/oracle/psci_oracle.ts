/** Compares PSCI with QEMU's, live: results of calls with right and wrong arguments, and the state of CPUs they start. */
import { runToEnd, sha256 } from "./system/machines.ts";
import { exitOnMissing } from "./outsider.ts";
import { assembleProgram } from "../../machine/a64/program.ts";
import { parseConfiguration } from "../../machine/configuration.ts";
import { Machine } from "../../machine/machine.ts";

/** Where a flat kernel is loaded. */
const BASE = 0x4008_0000n;
const STARTED = BASE + 0x8000n;

interface Call {
  readonly id: bigint;
  readonly x: readonly bigint[];
}

const call = (id: number, ...x: (number | bigint)[]): Call => ({ id: BigInt(id), x: x.map(BigInt) });

const CPU_ON = 0xc400_0003, CPU_ON_32 = 0x8400_0003, AFFINITY = 0xc400_0004, FEATURES = 0x8400_000a;

/** Identifiers of PSCI 0.2–1.2 in both widths, PSCI 0.1 as QEMU has it, of the SMC calling convention, of others. */
function identifiers(): number[] {
  const psci = Array.from({ length: 0x20 }, (_, n) => [0x8400_0000 + n, 0xc400_0000 + n]).flat();
  const older = [0x95c1_ba5d, 0x95c1_ba5e, 0x95c1_ba5f, 0x95c1_ba60, 0x95c1_ba61];
  return [...psci, ...older, 0x8000_0000, 0x8000_0001, 0x8000_8000, 0x8400_0050, 0x8600_ff01, 0xc600_0000, 0];
}

/** Those that do not come back, or whose argument matters. */
const NOT_CALLED = /^(8|c)400000[123489]$|^95c1ba(5e|5f|60)$|^840000(08|09)$/;

// deno-fmt-ignore
const CALLS: readonly Call[] = [
  ...identifiers().map((id) => call(FEATURES, id)),
  ...identifiers().filter((id) => !NOT_CALLED.test(id.toString(16)) && id !== 0xc400_0008 && id !== 0xc400_0009).map((id) => call(id, 0, 0, 0)),
  call(0xc400_0001, 0x2_0000), call(0xc400_0001, 0x100_0000), call(0x8400_0001, 0x8000_0000), call(0xc400_0001, 0), call(0xc400_0001, 0x1_0000, STARTED, 7), call(0x95c1_ba5e, 5),
  ...[0, 1, 2, 3, 4, 0x100, 0x8000_0001, 0x1_0000_0000].flatMap((target) => [0, 1, 2, 3, 4].map((level) => call(AFFINITY, target, level))),
  call(0x8400_0004, 1, 0),
  call(CPU_ON, 0, STARTED), call(CPU_ON, 1, STARTED + 2n), call(CPU_ON, 7, STARTED), call(CPU_ON, 0x100, STARTED), call(CPU_ON, 0x8000_0001, STARTED),
  call(CPU_ON, 1, STARTED, 0x1234_5678_9abc_def0n), call(CPU_ON, 1, STARTED), call(AFFINITY, 1, 0),
  call(CPU_ON_32, 2, STARTED, 0x9abc_def0n), call(AFFINITY, 2, 0),
];

/** What a CPU that is started shows of itself, beside X0–X3 and SP: not NZCV, which is UNKNOWN, nor HCR_EL2.RW. */
const STATE = [
  "CurrentEL",
  "DAIF",
  "SPSel",
  "MPIDR_EL1",
  "TPIDR_EL1",
  "VBAR_EL1",
  "SCTLR_EL1",
  "CPACR_EL1",
];
const STATE_EL2 = ["SCTLR_EL2", "CNTHCTL_EL2", "CPTR_EL2", "MDCR_EL2", "VMPIDR_EL2", "VPIDR_EL2"];

/** Every call, its X0–X3 to the UART; a second CPU that is on prints its state and turns itself off. */
function source(conduit: "hvc" | "smc", el2: boolean): string {
  const state = [...STATE, ...(el2 ? STATE_EL2 : [])].map((name) => `
        mrs     x0, ${name}
        bl      print`).join("");
  const quad = (value: bigint) => `0x${value.toString(16)}`;
  const rows = CALLS.map(({ id, x: [a = 0n, b = 0n, c = 0n] }) =>
    `        .quad   ${[id, a, b, c].map(quad).join(", ")}`
  );
  return `
        .equ    UART, 0x09000000
        mov     x1, #0x08000000         // a timer that is due, so that no CPU_SUSPEND lasts
        mov     w2, #1
        str     w2, [x1]
        mov     w2, #0x08000000
        str     w2, [x1, #0x100]
        movz    x1, #0x0801, lsl #16
        mov     w2, #1
        str     w2, [x1]
        mov     w2, #0xff
        str     w2, [x1, #4]
        msr     CNTV_CVAL_EL0, xzr
        mov     x2, #1
        msr     CNTV_CTL_EL0, x2
        adr     x20, calls
        adr     x21, end
next:   cmp     x20, x21
        b.hs    done
        ldp     x0, x1, [x20]
        ldp     x2, x3, [x20, #16]
        mov     x22, x0
        mov     x23, x1
        ${conduit}     #0
        stp     x0, x1, [x20]
        stp     x2, x3, [x20, #16]
        mov     x24, x0
        cbnz    x24, show               // a CPU that was started: wait until it has printed and is off
        and     w22, w22, #0xbfffffff
        movz    w25, #0x8400, lsl #16
        orr     w25, w25, #3
        cmp     w22, w25
        b.ne    show
1:      adr     x2, printed
        ldar    x3, [x2]
        cbz     x3, 1b
        str     xzr, [x2]
        ldr     x26, =100000
2:      sub     x26, x26, #1
        cbnz    x26, 2b
show:   ldr     x0, [x20]
        bl      print
        ldr     x0, [x20, #8]
        bl      print
        ldr     x0, [x20, #16]
        bl      print
        ldr     x0, [x20, #24]
        bl      print
        add     x20, x20, #32
        b       next
done:   ldr     x0, =0x84000008
        ${conduit}     #0
        b       .
print:  ldr     x9, =UART
        mov     x10, #8
1:      strb    w0, [x9]
        lsr     x0, x0, #8
        sub     x10, x10, #1
        cbnz    x10, 1b
        ret
        .ltorg
        .balign 8
printed: .quad  0
calls:
${rows.join("\n")}
end:
        .org    0x8000
        mov     x11, x1
        mov     x12, x2
        mov     x13, x3
        bl      print
        mov     x0, x11
        bl      print
        mov     x0, x12
        bl      print
        mov     x0, x13
        bl      print
        mov     x0, sp
        bl      print${state}
        adr     x2, printed
        mov     x3, #1
        stlr    x3, [x2]
        ldr     x0, =0x84000002
        ${conduit}     #0
        b       .
        .ltorg
`;
}

function wordsOf(bytes: Uint8Array): bigint[] {
  return [...new BigUint64Array(bytes.slice(0, bytes.length - bytes.length % 8).buffer)];
}

async function onQemu(code: Uint8Array, el2: boolean): Promise<bigint[]> {
  const directory = Deno.makeTempDirSync({ prefix: "hindsight-oracle-" });
  try {
    Deno.writeFileSync(`${directory}/guest.bin`, code);
    const machine = `virt,gic-version=2${el2 ? ",virtualization=on" : ""}`;
    const options = `-M ${machine} -cpu cortex-a57 -smp 4 -m 128 -nodefaults -display none -monitor none`;
    await runToEnd("qemu-system-aarch64", [
      ...options.split(" "),
      ...["-serial", `file:${directory}/out`, "-kernel", `${directory}/guest.bin`],
    ]);
    return wordsOf(Deno.readFileSync(`${directory}/out`));
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
}

function onOurs(code: Uint8Array, el2: boolean): bigint[] {
  const kernel = { sha256: sha256(code), size: code.length, name: "guest" };
  const configuration = parseConfiguration({ cpus: 4, virtualization: el2, boot: { kernel } });
  const machine = new Machine(configuration, new Map([[kernel.sha256, code]]));
  const bytes: number[] = [];
  machine.board.transmitted = (byte) => void bytes.push(byte);
  const { reason } = machine.run(10_000_000);
  if (reason !== "poweredOff") throw new Error(`Our machine did not end: ${reason}`);
  return wordsOf(Uint8Array.from(bytes));
}

async function main(): Promise<void> {
  let compared = 0, differing = 0;
  for (const el2 of [false, true]) {
    const text = source(el2 ? "smc" : "hvc", el2);

    const { bytes } = assembleProgram(text, { name: "psci.s", base: BASE });
    const code = new Uint8Array(bytes);
    const theirs = await onQemu(code, el2), ours = onOurs(code, el2);
    const length = Math.max(theirs.length, ours.length);
    for (let at = 0; at < length; at++, compared++) {
      if (theirs[at] === ours[at]) continue;
      differing++;
      if (differing <= 20) {
        const show = (value: bigint | undefined) => value?.toString(16) ?? "nothing";
        console.log(`EL${el2 ? 2 : 1}, word ${at}: ours ${show(ours[at])}, QEMU's ${show(theirs[at])}`);
      }
    }
  }
  console.log(`PSCI: ${compared} words compared, ${differing} differ`);
  if (differing > 0 || compared < 8 * CALLS.length) Deno.exit(1);
}

if (import.meta.main) await exitOnMissing(main);
