/** Checks that the system calls are Linux's: the same executable gives the same results under Debian's kernel. */
import { exerciser, EXERCISES } from "../../../firmware/dual_width/exerciser.ts";
import { cpioArchive, file } from "../../host/guests/file_tree.ts";
import { QUICK_KERNEL } from "../linux_arguments.ts";
import type { CheckContext, CheckOutcome } from "../scenario.ts";
import { consoleIs, ENGINES, FORMS } from "./common.ts";
import { build, recordImage } from "./images.ts";

/** The guest whose kernel is the judge. */
export const LINUX_GUEST = "linux-cloud";

/** What is behind the last line that the process prints. */
const END = "ended\n";

/** The exerciser's console as the first process of an unmodified Linux. */
async function underLinux(context: CheckContext, executable: Uint8Array): Promise<string> {
  const console = { kind: "characterDevice", major: 5, minor: 1 } as const;
  const initrd = cpioArchive(new Map([["init", file(executable, 0o755)], ["dev/console", console]]));
  const linux = await context.record({
    options: [
      ...["-M", "virt", "-cpu", "cortex-a57", "-m", "256", "-no-reboot"],
      ...["-kernel", context.guest(`${LINUX_GUEST}/Image`), "-initrd", "initrd.cpio"],
      ...["-append", `console=ttyAMA0 quiet loglevel=0 ${QUICK_KERNEL}`],
    ],
    files: { "initrd.cpio": initrd },
    seconds: 120,
  });
  const text = linux.console.replaceAll("\r\n", "\n"), end = text.indexOf(END);
  return end < 0 ? text : text.slice(0, end + END.length);
}

/** Memory, signals, files and errors, on both kernels and on Linux. */
export async function callsAreLinuxs(context: CheckContext): Promise<CheckOutcome> {
  const failures: string[] = [], process = exerciser();
  for (const form of FORMS) {
    const recorded = await recordImage(context, form, build({ form, processes: [process] }));
    failures.push(...consoleIs(recorded, EXERCISES, `${form}: the exerciser`));
    failures.push(...await context.replayOn(recorded, ENGINES));
  }
  const linux = await underLinux(context, process.executable);
  failures.push(...consoleIs({ console: linux }, EXERCISES, "under Linux the exerciser"));
  return { failures, figures: { results: EXERCISES.split("\n").length - 1 } };
}
