/** What the builder of dual-width images makes, and refuses. */
import { assertEquals, assertThrows } from "@std/assert";
import { AddressSpace, DUAL_LAYOUT } from "../../../firmware/dual_width/address_space.ts";
import { dualWidthImage } from "../../../firmware/dual_width/image.ts";
import {
  IMAGE_BASE,
  KERNEL_BASE,
  SHIM,
  STACK_TOP,
  USER_LIMIT,
  WINDOW_SIZE,
} from "../../../firmware/dual_width/layout.ts";
import { processImage } from "../../../firmware/dual_width/process_image.ts";
import { spinner } from "../../../firmware/dual_width/programs.ts";
import { elfExecutable } from "../../../firmware/elf.ts";
import { leavesOf } from "../../../firmware/loader/translation_tables.ts";
import { assembleProgram } from "../../../machine/a64/program.ts";
import { ConfigurationError } from "../../../machine/errors.ts";

const PHYSICAL = 0x4080_0000;
const space = () => new AddressSpace("el2", 0x4070_0000, 16);

Deno.test("AddressSpace refuses what width could not protect", () => {
  // deno-fmt-ignore
  const wrong: [() => void, string][] = [
    [() => space().mapKernel(USER_LIMIT - 4096n, PHYSICAL, {}),       "EL0 reaches what is below 0x800000000000"],
    [() => space().mapKernel(0x4008_0000n, PHYSICAL, { execute: true }), "a page of the kernel at 0x40080000"],
    [() => space().mapUser(USER_LIMIT, PHYSICAL, {}),                 "EL0 cannot name it"],
    [() => space().mapUser(SHIM, PHYSICAL, {}),                       "the shim is there"],
    [() => space().mapShim(PHYSICAL, { write: true, execute: true }), "the shim writable"],
    [() => space().mapShim(PHYSICAL, {}),                             "without execute permission"],
  ];
  for (const [map, message] of wrong) assertThrows(map, RangeError, message);
});

Deno.test("AddressSpace writes the EL2 format: AP[1] set, PXN and nG clear, for both halves", () => {
  const made = space();
  made.mapKernel(KERNEL_BASE.el2, PHYSICAL, { write: true });
  made.mapUser(0x40_0000n, PHYSICAL + 4096, { execute: true });
  made.mapShim(PHYSICAL + 8192, { execute: true });
  const view = new DataView(made.bytes.buffer);
  const read = (physical: bigint) => view.getBigUint64(Number(physical) - 0x4070_0000, true);
  const leaves = [...leavesOf(DUAL_LAYOUT, 0x4070_0000n, read)];
  assertEquals(leaves.map(({ virtual, attributes }) => [virtual, attributes]), [
    [0x40_0000n, 0x80_0000_0000_07c4n],
    [SHIM, 0x7c4n],
    [KERNEL_BASE.el2, 0x40_0000_0000_0744n],
  ]);
});

Deno.test("AddressSpace shares the tables of the kernel's half", () => {
  const kernel = space();
  kernel.mapKernel(KERNEL_BASE.el2, PHYSICAL, {});
  const process = new AddressSpace("el2", 0x4078_0000, 4, kernel);
  assertEquals(process.bytes.subarray(2048), kernel.bytes.subarray(2048, 4096));
  assertEquals(process.bytes.length, 4096);
});

const elf = (base: bigint) => elfExecutable(assembleProgram("svc #0", { base }));

Deno.test("processImage puts argc, argv, envp and the auxiliary vector on the stack", () => {
  const source = {
    path: "/bin/x",
    executable: elf(0x40_0078n),
    arguments: ["x", "-y"],
    environment: ["A=b"],
  };
  const { pages, sp, entry, brk } = processImage(source);
  const word = (at: bigint) => {
    const page = pages.find(({ virtual }) => virtual === (at & ~4095n))?.bytes as Uint8Array;
    return new DataView(page.buffer, page.byteOffset).getBigUint64(Number(at & 4095n), true);
  };
  const text = (at: bigint): string => {
    let found = "";
    for (;; at++) {
      const page = pages.find(({ virtual }) => virtual === (at & ~4095n))?.bytes as Uint8Array;
      const byte = page[Number(at & 4095n)] as number;
      if (byte === 0) return found;
      found += String.fromCharCode(byte);
    }
  };
  assertEquals([entry, brk, sp % 16n], [0x40_0078n, 0x40_1000n, 0n]);
  assertEquals([word(sp), text(word(sp + 8n)), text(word(sp + 16n)), word(sp + 24n)], [2n, "x", "-y", 0n]);
  assertEquals([text(word(sp + 32n)), word(sp + 40n)], ["A=b", 0n]);
  const auxiliary = new Map<bigint, bigint>();
  for (let at = sp + 48n; word(at) !== 0n; at += 16n) auxiliary.set(word(at), word(at + 8n));
  assertEquals([auxiliary.get(6n), auxiliary.get(9n), auxiliary.get(5n)], [4096n, entry, 1n]);
  assertEquals(text(auxiliary.get(31n) ?? 0n), "/bin/x");
});

Deno.test("processImage refuses files that are no executables, and segments where they cannot be", () => {
  const make = (executable: Uint8Array) => () => processImage({ path: "/x", executable, arguments: ["x"] });
  assertThrows(make(new Uint8Array(100)), ConfigurationError, "Cannot load /x");
  assertThrows(make(elf((1n << 48n) - 16n).slice(0, 120)), ConfigurationError, "it is cut");
  for (const base of [USER_LIMIT, STACK_TOP - 8n]) {
    assertThrows(make(elf(base)), RangeError, "where the stack and then the kernel are");
  }
  const many = { path: "/x", executable: elf(0x40_0000n), arguments: ["x".repeat(70000)] };
  assertThrows(() => processImage(many), RangeError, "do not fit");
});

Deno.test("dualWidthImage refuses too few and too many processes, and a window that is too small", () => {
  const processes = [spinner("A", 1)];
  assertThrows(() => dualWidthImage({ form: "el2", processes: [] }), RangeError, "1 to 4");
  const five = Array.from({ length: 5 }, () => processes).flat();
  assertThrows(() => dualWidthImage({ form: "el2", processes: five }), RangeError, "1 to 4");
  const small = { form: "el2", processes, windowSize: 0x90000 } as const;
  assertThrows(() => dualWidthImage(small), RangeError, "past the kernel's RAM at 0x40090000");
});

Deno.test("dualWidthImage tells of every page that the kernel has", () => {
  const { kernelPages, bytes } = dualWidthImage({ form: "el2", processes: [spinner("A", 1)] });
  assertEquals(kernelPages.length, WINDOW_SIZE / 4096 + 3);
  assertEquals(kernelPages.every((page) => page >= USER_LIMIT), true);
  assertEquals(bytes.length % 4096, 0);
  assertEquals(IMAGE_BASE, 0x4008_0000);
});
