/** How the tables of the device tree differ from those that QEMU makes for the same machine, and why: every line of it. */
import type { Difference } from "../../../firmware/acpi/normal_form.ts";
import type { Kind } from "./boards.ts";

/** Lines that differ for one reason. */
export interface Expected {
  /** Names of lines. */
  readonly name: RegExp;
  /** What the tables of the tree say; undefined: no such line. */
  readonly one?: RegExp | undefined;
  /** What QEMU's say. */
  readonly other?: RegExp | undefined;
  /** Why. */
  readonly reason: string;
  /** On these machines only. */
  readonly when?: (kind: Kind) => boolean;
}

const NONE = undefined;

/** All reasons. */
// deno-fmt-ignore
export const EXPECTED: readonly Expected[] = [
  { name: /^\w{4}\.(oemId|oemTableId|creatorId)$/, one: /HNDS|DT2ACPI/, other: /BOCHS|BXPC/, reason: "who made the table" },
  { name: /^FACP\.minorRevision$/, one: /^0x3$/, other: /^0x0$/, reason: "FADT is that of ACPI 6.3, QEMU's that of 6.0" },
  { name: /^FACP\.hypervisorId$/, one: /^0x0$/, other: /^0x554d4551$/, reason: "a device tree does not say what a hypervisor calls itself to ACPI" },
  { name: /^APIC\.revision$/, one: /^0x5$/, other: /^0x4$/, reason: "MADT is that of ACPI 6.3; GICC has 80 bytes in both" },
  { name: /^APIC\.gicc\[\d\]\.gicv$/, one: /^0x0$/, other: /^0x8040000$/, reason: "QEMU names the GICv2's virtual frames though the machine has no EL2; the tree does not", when: ({ virtualization }) => virtualization !== true },
  { name: /^APIC\.gicc\[\d\]\.gich$/, one: /^0x0$/, other: /^0x8030000$/, reason: "as for gicv" },
  { name: /^APIC\.msiFrame\[0\]\.flags$/, one: /^0x0$/, other: /^0x1$/, reason: "the tree leaves the GICv2m's interrupts to MSI_TYPER" },
  { name: /^APIC\.msiFrame\[0\]\.spi(Count|Base)$/, one: /^0x0$/, other: /^0x(40|50)$/, reason: "as for flags: MSI_TYPER says 64 from 80 on" },
  { name: /^GTDT\.revision$/, one: /^0x3$/, other: /^0x2$/, reason: "GTDT is that of ACPI 6.3" },
  { name: /^GTDT\.hypervisorVirtual(Interrupt|Flags)$/, one: /^0x[04]$/, other: NONE, reason: "the fields that revision 3 adds" },
  { name: /^GTDT\.(secure|virtual|hypervisor)Flags$/, one: /^0x4$/, other: /^0x0$/, reason: "always-on holds for all timers of the node; QEMU says it of the physical one" },
  { name: /^SPCR\.registerWidth$/, one: /^0x20$/, other: /^0x8$/, reason: "a PL011's registers have 32 bits (QEMU says 8)" },
  { name: /^SPCR\.registerAccess$/, one: /^0x3$/, other: /^0x1$/, reason: "as for registerWidth" },
  { name: /^SPCR\.baudRate$/, one: /^0x0$/, other: /^0x3$/, reason: "stdout-path has no rate: the port stays as it is; QEMU says 9600" },
  { name: /^SPCR\.flowControl$/, one: /^0x0$/, other: /^0x2$/, reason: "the tree speaks of no flow control; QEMU says RTS/CTS" },
  { name: /^DBG2/, one: NONE, other: /./, reason: "a device tree names a console and no port for debuggers" },
  { name: /^APIC\.its\[0\]\./, one: NONE, other: /./, reason: "QEMU's MADT has the ITS with its=off too, which neither machine nor tree has", when: ({ its }) => its === false },
  { name: /^IORT/, one: NONE, other: /./, reason: "without an ITS there is nothing to map IDs to; QEMU makes a group of an ITS that there is not", when: ({ gic, its }) => gic === 2 || its === false },
  { name: /^DSDT\.\\_SB\.FWCF\._UID$/, one: /^0x0$/, other: NONE, reason: "every device of the tree has a _UID" },
  { name: /^DSDT\.\\_SB\.VR\d\d\._CRS\[1\]$/, one: /^interrupt \d+ edge high$/, other: /^interrupt \d+ level high$/, reason: "QEMU's tree says edge, its ACPI tables level" },
  { name: /^DSDT\.\\_SB\.PCI0\._CRS\[1\]$/, one: /^io /, other: /^memory /, reason: "windows stand in the order of ranges" },
  { name: /^DSDT\.\\_SB\.PCI0\._CRS\[2\]$/, one: /^memory /, other: /^io /, reason: "as for the other window" },
  { name: /^DSDT\.\\_SB\.PCI0\._OSC\(\)$/, one: /./, other: /./, reason: "QEMU's keeps what it was asked in SUPP and CTRL, which nothing reads" },
  { name: /^DSDT\.\\_SB\.PCI0\.(SUPP|CTRL)$/, one: NONE, other: /^0x0$/, reason: "as for _OSC" },
  { name: /^DSDT\.\\_SB\.PCI0\._STR$/, one: NONE, other: /./, reason: "a text for people" },
  { name: /^DSDT\.\\_SB\.PCI0\._DSM\(\)$/, one: NONE, other: /./, reason: "QEMU's answers only which functions it has: none" },
  { name: /^DSDT\.\\_SB\.(GPIO|PL03|FLAS)(\.|$)/, one: /./, other: NONE, reason: "set 2: the nodes gpio-keys, pl031 and flash, which QEMU's tables leave out" },
  { name: /^DSDT\.\\_SB\.GPO0\.(_AEI\[0\]|_E03\(\))$/, one: NONE, other: /./, reason: "QEMU's power key is an event of the GPIO; here gpio-keys has it" },
  { name: /^DSDT\.\\_SB\.PWRB(\.|$)/, one: NONE, other: /./, reason: "as for _AEI: the device that QEMU's event is for" },
];

const matches = (pattern: RegExp | undefined, value: string | undefined): boolean =>
  pattern === undefined ? value === undefined : value !== undefined && pattern.test(value);

/** The row that explains a line on a machine, if one does. */
export function explanation({ name, one, other }: Difference, kind: Kind): Expected | undefined {
  return EXPECTED.find((row) =>
    row.name.test(name) && matches(row.one, one) && matches(row.other, other) && (row.when?.(kind) ?? true)
  );
}
