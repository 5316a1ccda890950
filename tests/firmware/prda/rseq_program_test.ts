/** The program with restartable sequences, as the kernel reads its descriptor. That it runs: cli/systems/prda_alias. */
import { assertEquals } from "@std/assert";
import { rseqProgram } from "../../../firmware/prda/rseq_program.ts";

const RSEQ_SIG = 0xd428bc00;

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
