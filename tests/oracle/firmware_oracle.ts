/** Runs our ELF executables and Linux images on QEMU, and lets LLVM read an executable's symbols. */
import { elfExecutable } from "../../firmware/elf.ts";
import { elfGuest, GREETING, imageGuest, processGuest } from "../firmware/guests.ts";

const SECONDS = 20;

async function run(command: string, args: readonly string[]): Promise<{ code: number; output: string }> {
  const signal = AbortSignal.timeout(SECONDS * 1000);
  const process = new Deno.Command(command, {
    args: [...args],
    stdin: "null",
    stdout: "piped",
    stderr: "piped",
    signal,
  });
  const { code, stdout, stderr } = await process.output();
  return { code, output: new TextDecoder().decode(stdout) + new TextDecoder().decode(stderr) };
}

const system = (kernel: string): string[] => [
  ...["-M", "virt", "-cpu", "cortex-a57", "-nodefaults", "-display", "none", "-serial", "stdio"],
  ...["-no-reboot", "-kernel", kernel],
];

let failures = 0;

function report(what: string, isRight: boolean, seen: unknown): void {
  if (!isRight) failures++;
  console.log(`${what}: ${isRight ? "agreed" : `disagreed: ${JSON.stringify(seen)}`}`);
}

const folder = await Deno.makeTempDir();
const write = (name: string, bytes: Uint8Array): string => {
  const path = `${folder}/${name}`;
  Deno.writeFileSync(path, bytes, { mode: 0o755 });
  return path;
};

const executable = write("process", elfExecutable(processGuest()));
const asProcess = await run("qemu-aarch64", [executable]).catch(() =>
  run("qemu-aarch64-static", [executable])
);
report("qemu-aarch64 runs an ELF process", asProcess.code === 42 && asProcess.output === GREETING, asProcess);

const asKernel = await run("qemu-system-aarch64", system(write("kernel.elf", elfExecutable(elfGuest()))));
report(
  "qemu-system-aarch64 boots an ELF kernel",
  asKernel.code === 0 && asKernel.output === GREETING,
  asKernel,
);

const asImage = await run("qemu-system-aarch64", system(write("Image", imageGuest().bytes)));
report("qemu-system-aarch64 boots a Linux image", asImage.code === 0 && asImage.output === GREETING, asImage);

const { output } = await run("llvm-readobj", ["--symbols", "--sections", executable]);
const symbols = Array.from(
  output.matchAll(/Name: (\w+) \(.*\n\s*Value: (0x[0-9A-F]+)/g),
  ([, name, value]) => [name, value],
);
const expected = Array.from(
  processGuest().symbols,
  ([name, value]) => [name, `0x${value.toString(16).toUpperCase()}`],
);
const isSame = JSON.stringify(symbols) === JSON.stringify(expected) && !/warning|error/i.test(output);
report("llvm-readobj reads the executable's symbols", isSame, { symbols, output });

await Deno.remove(folder, { recursive: true });
if (failures > 0) Deno.exit(1);
