/** The management hypervisor alone, with a guest of a few instructions; the loader's and the host module's files. */
import { assertEquals, assertStringIncludes, assertThrows } from "@std/assert";
import { hostModule } from "../../../firmware/kexec_hypervisor/host_module.ts";
import { kexecLoaderProgram } from "../../../firmware/kexec_hypervisor/loader/program.ts";
import { managementProgram } from "../../../firmware/kexec_hypervisor/management/program.ts";
import { imageHeader } from "../../../firmware/image.ts";
import { CONSOLE } from "../../../firmware/loader/console.ts";
import { sha256 } from "../../../cli/host/guests/store.ts";
import {
  asm,
  bytes,
  type Content,
  label,
  org,
  Part,
  part,
  program,
} from "../../../machine/a64/program_parts.ts";
import { parseConfiguration } from "../../../machine/configuration.ts";
import { ByteWriter } from "../../../machine/layout.ts";
import { Machine } from "../../../machine/machine.ts";

const BASE = 0x4020_0000n, GUEST_AT = 0x1_0000, LIST_AT = 0x2_0000, HYPERVISOR_AT = 0x20_0000;
const HYPERVISOR = BASE + BigInt(HYPERVISOR_AT), RAM_END = 0x4100_0000n;

/** An ESXBootInfo list: ranges around the hypervisor, modules kernel and tree. */
function list(): Uint8Array {
  const writer = new ByteWriter(), texts = BASE + BigInt(LIST_AT) + 0x200n;
  writer.u64(texts);
  writer.u64(5n);
  const range = (start: bigint, end: bigint, type: number): void => {
    writer.u32(1);
    writer.u64(32n);
    writer.u64(start);
    writer.u64(end - start);
    writer.u32(type);
  };
  const module = (text: bigint, page: bigint): void => {
    writer.u32(2);
    writer.u64(48n);
    writer.u64(text);
    writer.u64(4096n);
    writer.u32(1);
    writer.u64(page);
    writer.u32(1);
    writer.u32(0);
  };
  range(0x4000_0000n, HYPERVISOR, 1);
  range(HYPERVISOR, HYPERVISOR + 0x20_0000n, 2);
  range(HYPERVISOR + 0x20_0000n, RAM_END, 1);
  module(texts + 16n, (BASE + BigInt(GUEST_AT)) >> 12n);
  module(texts + 32n, (BASE + BigInt(LIST_AT)) >> 12n);
  const content = new Uint8Array(0x300);
  content.set(writer.bytes());
  for (const [at, text] of [[0, "log"], [16, "kernel args"], [32, "tree"]] as const) {
    content.set(new TextEncoder().encode(text), 0x200 + at);
  }
  return content;
}

/** Turns CPU 1 on and waits until it is off again, touches the hypervisor's memory, and powers off by SMC. */
const GUEST = part(
  "guest",
  asm`
guest:  ldr     x26, =0x09000000
        mrs     x0, currentel
        bl      put_hex
        adr     x0, guest_vectors
        msr     vbar_el1, x0
        ldr     x0, =0xc4000003
        mov     x1, #1
        adr     x2, second
        mov     x3, #0x77
        hvc     #0
        bl      put_hex
        ldr     x0, =0xc4000003
        mov     x1, #5
        hvc     #0
        bl      put_hex
1:      ldr     x0, =0xc4000004
        mov     x1, #1
        hvc     #0
        cmp     x0, #1
        b.ne    1b
        ldr     x0, =${HYPERVISOR + 8n}
        ldr     x0, [x0]
off:    ldr     w0, =0x84000008
        smc     #0
second: ldr     x26, =0x09000000
        bl      put_hex
        ldr     w0, =0x84000002
        hvc     #0
        .ltorg
        .balign 2048
guest_vectors:
        .org    guest_vectors + 0x200
        mrs     x0, esr_el1
        bl      put_hex
        mrs     x0, far_el1
        bl      put_hex
        b       off`,
);

/** The image; X0 is what the hypervisor finds there. */
function image(magic: bigint): Uint8Array {
  const entry = label("entry"), end = label("end");
  const contents: Content[] = [
    imageHeader({ entry, size: end }),
    part(
      "previous",
      entry,
      asm`
        ldr     x0, =${magic}
        ldr     x1, =${BASE + BigInt(LIST_AT)}
        ldr     x2, =${HYPERVISOR}
        br      x2
        .ltorg`,
    ),
    org(GUEST_AT),
    GUEST,
    new Part(() => CONSOLE.text, "console"),
    org(LIST_AT),
    bytes(list()),
    org(HYPERVISOR_AT),
    bytes(managementProgram().bytes),
    end,
  ];
  return program(contents, { base: BASE }).bytes;
}

function run(kernelBytes: Uint8Array): { text: string; ends: string } {
  const hash = sha256(kernelBytes), kernel = { sha256: hash, size: kernelBytes.length, name: "management" };
  const configuration = parseConfiguration({
    memoryMiB: 16,
    virtualization: true,
    cpus: 2,
    boot: { kernel },
  });
  const machine = new Machine(configuration, new Map([[hash, kernelBytes]]), { engine: "threaded" });
  let text = "";
  machine.board.transmitted = (byte) => void (text += String.fromCharCode(byte));
  return { ends: machine.run(2_000_000).reason, text };
}

Deno.test("managementProgram() takes the CPUs, runs its guest at EL1, answers PSCI and keeps its memory", () => {
  const { text, ends } = run(image(0x1bad_b005n));
  assertEquals(ends, "poweredOff", text);
  assertStringIncludes(text, "command line log\n");
  assertStringIncludes(text, "range 0x0000000040400000 0x0000000000200000 reserved\n");
  assertStringIncludes(text, "0x0000000000001000 kernel args\n");
  assertStringIncludes(text, "management: CPU 1 is at EL2\n");
  const numbers = text.slice(text.indexOf("guest at EL1, ")).match(/0x[0-9a-f]{16}/g)?.map(BigInt);
  // Its entry; CurrentEL; then CPU_ON, CPU_ON of a CPU that is not there, the context of CPU 1, in some order.
  assertEquals(numbers?.slice(0, 2), [BASE + BigInt(GUEST_AT), 4n]);
  assertEquals(numbers?.slice(2, 5).map(String).sort(), [0n, 0x77n, 2n ** 64n - 2n].map(String).sort());
  assertStringIncludes(text, "management: the guest has nothing at 0x0000000040400008\n");
  assertEquals(numbers?.slice(-2), [0x9600_0010n, 0x4040_0008n]);
});

Deno.test("managementProgram() refuses what is not an ESXBootInfo, and resets", () => {
  const { text, ends } = run(image(0x2bad_b002n));
  assertEquals(ends, "requested");
  assertEquals(text, "management: stopped: X0 is not the magic number of ESXBootInfo\n");
});

Deno.test("kexecLoaderProgram() says where its system calls return", () => {
  const { symbols } = kexecLoaderProgram();
  for (const name of ["after_kexec_load", "after_reboot"]) assertEquals(symbols.has(name), true, name);
});

Deno.test("hostModule() refuses a file that is no module of a kernel", () => {
  assertThrows(() => hostModule(new Uint8Array(100)), RangeError, "no relocatable ELF file");
});
