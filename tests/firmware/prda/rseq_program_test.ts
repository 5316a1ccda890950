/** The program with restartable sequences, as the kernel and the dynamic loader read it. That it runs: cli/systems. */
import { assertEquals } from "@std/assert";
import { RSEQ_PROGRAM_BASE, rseqProgram } from "../../../firmware/prda/rseq_program.ts";

const RSEQ_SIG = 0xd428bc00;

Deno.test("rseqProgram is an ELF file whose segment holds all of it", () => {
  const { bytes, base, size, symbols } = rseqProgram(), view = new DataView(bytes.buffer);
  assertEquals(base, RSEQ_PROGRAM_BASE);
  assertEquals(bytes.subarray(0, 4).toHex(), "7f454c46");
  assertEquals(view.getBigUint64(24, true), symbols.get("_start"));
  const segments = Array.from({ length: view.getUint16(56, true) }, (_, index) => 64 + 56 * index);
  const load = segments.find((at) => view.getUint32(at, true) === 1)!;
  assertEquals([view.getBigUint64(load + 16, true), view.getBigUint64(load + 32, true)], [
    base,
    BigInt(size),
  ]);
  assertEquals(bytes.length, size);
});

Deno.test("the sequence's descriptor names the section, and its abort handler has the signature before it", () => {
  const { bytes, base, symbols } = rseqProgram(), view = new DataView(bytes.buffer);
  const at = (name: string): bigint => symbols.get(name)!, sequence = at("sequence");
  const word = (offset: number) => view.getBigUint64(Number(sequence - base) + offset, true);
  assertEquals(Number(sequence) % 32, 0);
  assertEquals(
    [word(0), word(8), word(16), word(24)],
    [0n, at("section_begin"), at("section_end") - at("section_begin"), at("section_abort")],
  );
  assertEquals(view.getUint32(Number(at("section_abort") - base) - 4, true), RSEQ_SIG);
});
