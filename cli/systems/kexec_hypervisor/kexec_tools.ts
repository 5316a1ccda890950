/** The same by kexec-tools: `kexec -l xen` puts Xen and an initrd there, the first domain's kernel stands in memory that the host leaves alone. */
import type { CheckContext, CheckOutcome } from "../scenario.ts";
import { QUICK_KERNEL } from "../linux_arguments.ts";
import { dom0, EL2, recordHost, typed, UP } from "./host.ts";

/** Above what `mem=768M` leaves to the host. */
const KERNEL_AT = "0x70000000";
const CPUS = 2;

/** What Xen says of itself and the machine, without numbers that say where things are. */
export function xenLines(console: string): string[] {
  const said = console.slice(console.indexOf("Xen version")).split(/\r*\n/)
    .filter((line) =>
      line.startsWith("(XEN)") && !/[0-9a-f]{8}|0x|@|Command line|Bringing|CPU \d|d0v/i.test(line)
    );
  return [...new Set(said)].sort();
}

/** Records it, and compares what Xen says with what it says when our loader starts it. */
export async function checkKexecTools(context: CheckContext): Promise<CheckOutcome> {
  const arguments_ = "dom0_mem=512M console=dtuart dtuart=/pl011@9000000";
  const script = (load: string): string[] => [...UP, ...typed(load), ...dom0(CPUS)];
  const theirs = await recordHost(
    context,
    {
      base: "linux-tools/initrd.gz",
      append: "mem=768M",
      options: [
        ...[...EL2, "-smp", String(CPUS), "-device"],
        `guest-loader,addr=${KERNEL_AT},kernel=${
          context.guest("linux-cloud/Image")
        },bootargs=console=hvc0 ${QUICK_KERNEL}`,
      ],
    },
    script(
      `kexec -l /xen --dtb=/sys/firmware/fdt --initrd=/guest.gz --command-line='${arguments_}' && kexec -e`,
    ),
    "kexec-tools",
  );
  const ours = await recordHost(
    context,
    { options: [...EL2, "-smp", String(CPUS)] },
    script("sh /xen.sh && /kexec-hypervisor exec"),
  );
  const failures = await context.replayOn(theirs, ["threaded", "compiled"]);
  const [left, right] = [xenLines(theirs.console), xenLines(ours.console)];
  for (const line of left.filter((each) => !right.includes(each))) {
    failures.push(`only by kexec-tools: ${line}`);
  }
  for (const line of right.filter((each) => !left.includes(each))) {
    failures.push(`only by our loader: ${line}`);
  }
  if (left.length < 20) failures.push(`Xen said ${left.length} lines that can be compared`);
  return {
    failures,
    figures: {
      "lines of Xen that are equal": left.length,
      "steps by kexec-tools": theirs.end.instant,
      "steps by our loader": ours.end.instant,
    },
  };
}
