/** The structures of the ACPI tables that a device tree has counterparts of (ACPI 6.3, IORT: DEN 0049D, SPCR 1.07). */
import { structure } from "./structure.ts";

/** Generic Address Structure (ACPI 6.3, 5.2.3.2), as the last 12 bytes of others have it. */
const GAS = (name: string) => `${name}Space:1 ${name}Width:1 ${name}Bit:1 ${name}Access:1 ${name}:8` as const;

/** In front of every table but the RSDP (5.2.6). */
export const HEADER = structure(
  "signature:4 length:4 revision:1 checksum:1 oemId:6 oemTableId:8 oemRevision:4 creatorId:4 creatorRevision:4",
);

/** Root System Description Pointer, revision 2 (5.2.5.3). */
export const RSDP = structure(
  "signature:8 checksum:1 oemId:6 revision:1=2 rsdt:4 length:4=36 xsdt:8 extendedChecksum:1 reserved:3",
);

/** Fixed ACPI Description Table, revision 6.3, behind the header (5.2.9). */
export const FADT = structure(
  `facs:4 dsdt:4 model:1 profile:1 sciInterrupt:2 smiCommand:4 acpiEnable:1 acpiDisable:1 s4bios:1 pstate:1 pm1aEvent:4 pm1bEvent:4 pm1aControl:4 pm1bControl:4 pm2Control:4 pmTimer:4 gpe0:4 gpe1:4 pm1EventLength:1 pm1ControlLength:1 pm2ControlLength:1 pmTimerLength:1 gpe0Length:1 gpe1Length:1 gpe1Base:1 cstate:1 c2Latency:2 c3Latency:2 flushSize:2 flushStride:2 dutyOffset:1 dutyWidth:1 dayAlarm:1 monthAlarm:1 century:1 iapcBootArch:2 reserved:1 flags:4 ${
    GAS("reset")
  } resetValue:1 armBootArch:2 minorRevision:1 xFacs:8 xDsdt:8 ${GAS("xPm1aEvent")} ${GAS("xPm1bEvent")} ${
    GAS("xPm1aControl")
  } ${GAS("xPm1bControl")} ${GAS("xPm2Control")} ${GAS("xPmTimer")} ${GAS("xGpe0")} ${GAS("xGpe1")} ${
    GAS("sleepControl")
  } ${GAS("sleepStatus")} hypervisorId:8`,
);

/** FADT flags (5.2.9, table 5-34). */
export const FADT_FLAGS = {
  RESET_REG: 1 << 10,
  HEADLESS: 1 << 12,
  HW_REDUCED: 1 << 20,
  LOW_POWER_S0: 1 << 21,
} as const;
/** FADT ARM_BOOT_ARCH (5.2.9.4). */
export const ARM_BOOT_ARCH = { PSCI_COMPLIANT: 1 << 0, PSCI_USE_HVC: 1 << 1 } as const;

/** Multiple APIC Description Table, behind the header (5.2.12). */
export const MADT = structure("localInterruptController:4 flags:4");

/** MADT's structures by type (5.2.12.14 to 5.2.12.18). */
// deno-fmt-ignore
export const MADT_STRUCTURES = {
  gicc: structure("type:1=0x0b length:1=80 reserved:2 interface:4 uid:4 flags:4 parkingVersion:4 performanceInterrupt:4 parkedAddress:8 base:8 gicv:8 gich:8 maintenanceInterrupt:4 gicr:8 mpidr:8 efficiency:1 reserved2:1 spe:2"),
  gicd: structure("type:1=0x0c length:1=24 reserved:2 id:4 base:8 interruptBase:4 version:1 reserved2:3"),
  msiFrame: structure("type:1=0x0d length:1=24 reserved:2 id:4 base:8 flags:4 spiCount:2 spiBase:2"),
  gicr: structure("type:1=0x0e length:1=16 reserved:2 base:8 range:4"),
  its: structure("type:1=0x0f length:1=20 reserved:2 id:4 base:8 reserved2:4"),
} as const;

/** MADT GICC flags (table 5-61). */
export const GICC_FLAGS = { ENABLED: 1, PERFORMANCE_EDGE: 2, MAINTENANCE_EDGE: 4 } as const;
/** MADT MSI frame flags: the fields count, not MSI_TYPER. */
export const MSI_SPI_SELECT = 1;

/** Generic Timer Description Table, revision 3, behind the header (5.2.24). */
export const GTDT = structure(
  "counterControl:8=0xffffffffffffffff reserved:4 secureInterrupt:4 secureFlags:4 physicalInterrupt:4 physicalFlags:4 virtualInterrupt:4 virtualFlags:4 hypervisorInterrupt:4 hypervisorFlags:4 counterRead:8=0xffffffffffffffff platformTimers:4 platformTimerOffset:4 hypervisorVirtualInterrupt:4 hypervisorVirtualFlags:4",
);
/** Flags of a timer's interrupt (table 5-119). */
export const TIMER_FLAGS = { EDGE: 1, ACTIVE_LOW: 2, ALWAYS_ON: 4 } as const;

/** MCFG, behind the header (PCI Firmware Specification 3.3, 4.1.2), and one allocation. */
export const MCFG = structure("reserved:8");
/** A range of buses of a segment: the address of bus 0. */
export const MCFG_ALLOCATION = structure("base:8 segment:2 startBus:1 endBus:1 reserved:4");

/** Serial Port Console Redirection, revision 2, behind the header. */
export const SPCR = structure(
  `interfaceType:1 reserved:3 ${
    GAS("register")
  } interruptType:1 irq:1 interrupt:4 baudRate:1 parity:1 stopBits:1 flowControl:1 terminalType:1 language:1 pciDevice:2=0xffff pciVendor:2=0xffff pciBus:1 pciSlot:1 pciFunction:1 pciFlags:4 pciSegment:1 reserved2:4`,
);
/** SPCR's interrupt type: a GIC's. */
export const SPCR_GIC = 8;

/** Debug Port Table 2, behind the header, and what it says of one port, before its namespace string. */
export const DBG2 = structure("deviceOffset:4=44 deviceCount:4=1");
/** A port with one address and no data of a maker's own; offsets count from its first byte. */
export const DBG2_DEVICE = structure(
  `revision:1 length:2 registerCount:1=1 nameLength:2 nameOffset:2=38 oemLength:2 oemOffset:2 portType:2=0x8000 portSubtype:2 reserved:2 registerOffset:2=22 sizeOffset:2=34 ${
    GAS("register")
  } size:4`,
);

/** I/O Remapping Table, behind the header (DEN 0049D). */
export const IORT = structure("nodeCount:4 nodeOffset:4=48 reserved:4");
/** Nodes of the IORT by type, and a mapping of IDs. */
// deno-fmt-ignore
export const IORT_STRUCTURES = {
  its: structure("type:1=0 length:2=24 revision:1=1 identifier:4 mappings:4 mappingOffset:4 itsCount:4=1 itsId:4"),
  rootComplex: structure("type:1=2 length:2 revision:1=3 identifier:4 mappings:4 mappingOffset:4=36 coherency:4 hints:1 reserved:2 memoryFlags:1 ats:4 segment:4 addressLimit:1=64 reserved2:3"),
  mapping: structure("inputBase:4 count:4 outputBase:4 outputReference:4 flags:4"),
} as const;
/** Memory access flags of IORT: Coherent Path to Memory, Device attributes are Coherent and Cacheable. */
export const IORT_COHERENT = 3;

/** Processor Properties Topology Table: a processor hierarchy node (5.2.29.1). */
export const PPTT_NODE = structure(
  "type:1=0 length:1=20 reserved:2 flags:4 parent:4 uid:4 resources:4",
);
/** Flags of a processor hierarchy node (table 5-149). */
export const PPTT_FLAGS = { PHYSICAL_PACKAGE: 1, UID_VALID: 2, THREAD: 4, LEAF: 8 } as const;
