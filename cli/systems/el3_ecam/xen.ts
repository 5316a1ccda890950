/** Xen at EL2 and its first guest below the monitor at EL3: the guest finds the shim function, and Xen takes no part. */
import { createHash } from "node:crypto";
import { typedSlowly } from "../el3_simdev/linux.ts";
import type { CheckContext, CheckOutcome } from "../scenario.ts";
import { diskOptions } from "./machines.ts";

const DISK: Uint8Array<ArrayBuffer> = Uint8Array.from(
  { length: 0x1_0000 },
  (_, at) => at * 11 + (at >> 7) & 0xff,
);

/** One boot, replayed. */
export async function checkXen(context: CheckContext): Promise<CheckOutcome> {
  const image = context.guest("linux-cloud/Image"), initrd = context.guest("pci-tools/initrd");
  const append = "console=hvc0 panic=-1 cryptomgr.notests=1 quiet";
  const recorded = await context.record({
    name: "xen",
    options: [
      ...["-M", "virt,virtualization=on", "-m", "1G", "-no-reboot", "--monitor", "el3:el3-ecam"],
      ...[
        "-kernel",
        context.guest("xen/xen"),
        "-append",
        "dom0_mem=512M console=dtuart dtuart=/pl011@9000000",
      ],
      ...["-device", `guest-loader,addr=0x49000000,kernel=${image},bootargs=${append}`],
      ...["-device", `guest-loader,addr=0x4c000000,initrd=${initrd}`],
      ...diskOptions(context, "nvme-mmio", DISK),
    ],
    script: [
      ...['expect "Xen version 4.17"', 'expect "hindsight: shell"', 'expect "# "'],
      ...[...typedSlowly("lspci -D; md5sum /dev/nvme0n1"), 'expect "  /dev/nvme0n1"', 'expect "# "'],
      ...[...typedSlowly("grep nvme /proc/interrupts"), 'expect "nvme0q0"', 'expect "# "'],
      'send "poweroff -f\\r"',
    ],
    seconds: 1800,
  });
  const wanted = [
    "0001:00:01.0 Non-Volatile memory controller",
    `${createHash("md5").update(DISK).digest("hex")}  /dev/nvme0n1`,
    /GIC-0 144 Level +nvme0q0/,
  ];
  const failures = wanted.filter((text) =>
    typeof text === "string" ? !recorded.console.includes(text) : !text.test(recorded.console)
  ).map((text) => `below Xen the shell did not say ${text}`);
  failures.push(...await context.replayOn(recorded, ["threaded", "compiled"]));
  return { failures, figures: { steps: recorded.end.instant } };
}
