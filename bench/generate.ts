/** Compiles the programs that are in C to assembly, which is committed: `deno run -A bench/generate.ts`. */
import { createHash } from "node:crypto";

const FOLDER = new URL("programs/", import.meta.url);
const COMPILER = "aarch64-linux-gnu-gcc";

// deno-fmt-ignore
const OPTIONS = [
  "-O2", "-march=armv8-a+crypto", "-ffreestanding", "-fno-pic", "-fno-math-errno",
  "-fno-tree-loop-distribute-patterns", // no calls of memcpy and memset
  "-fno-asynchronous-unwind-tables", "-fno-stack-protector", "-fno-section-anchors",
];

/** Prints assembly in the one form that our assembler reads: gcc's is looser. */
const PRINTER = ["llvm-mc", "-triple=aarch64", "-mattr=+crypto"];

/** Lines for a linker, an unwinder or a debugger, and comments. */
const LEFT_OUT =
  /^\s*\.(cfi_\w+|type|size|file|ident|arch|globl|section\s+"?\.note\S*).*\n|^\.L(func_|FB|FE)\w+:\n|^\s*\/\/.*\n/gm;
/** What gaps in code are filled with: the printer says zeros, our assembler's own choice is NOP. */
const FILLED = /^(\s*\.p2align\s+\d+), 0x0, /gm;

/** The first line of the assembly of a program in C: names the source by its content. */
export function headingOf(name: string): string {
  const hash = createHash("sha256");
  for (const file of ["program.h", `${name}.c`]) hash.update(Deno.readTextFileSync(new URL(file, FOLDER)));
  return `// From ${name}.c and program.h by bench/generate.ts; sha256 ${hash.digest("hex").slice(0, 16)}`;
}

/** Names of the programs in C, in order. */
export function programsInC(): string[] {
  return [...Deno.readDirSync(FOLDER)].flatMap(({ name }) => name.endsWith(".c") ? [name.slice(0, -2)] : [])
    .sort();
}

function output(command: readonly string[]): string {
  const [program = "", ...args] = command;
  const { success, stdout, stderr } = new Deno.Command(program, { args }).outputSync();
  if (!success) throw new Error(new TextDecoder().decode(stderr));
  return new TextDecoder().decode(stdout);
}

function compile(name: string): string {
  const file = Deno.makeTempFileSync({ suffix: ".s" });
  try {
    output([COMPILER, ...OPTIONS, "-S", "-o", file, new URL(`${name}.c`, FOLDER).pathname]);
    return output([...PRINTER, file]).replaceAll(LEFT_OUT, "")
      .replaceAll(FILLED, "$1, , ")
      .replaceAll(/^\s*\.section\s+\.rodata\S*.*/gm, "\t.section\t.rodata");
  } finally {
    Deno.removeSync(file);
  }
}

if (import.meta.main) {
  for (const name of programsInC()) {
    Deno.writeTextFileSync(new URL(`${name}.s`, FOLDER), `${headingOf(name)}\n${compile(name)}`);
  }
}
