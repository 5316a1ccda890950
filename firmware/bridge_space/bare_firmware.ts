/** The least firmware that can start the loader of bridge-space: identity tables, the MMU on, and a branch to the file. */
import { assembleProgram, type Program } from "../../machine/a64/program.ts";
import { TranslationTableBuilder } from "../loader/translation_tables.ts";
import {
  type GranuleShift,
  leafAttributes,
  physicalSizeShift,
  translationControl,
} from "../loader/translation_layout.ts";

/** Where its code goes, where its tables, and where the loader's file. */
export const BARE_FIRMWARE_AT = 0x4400_0000, BARE_TABLES_AT = 0x4410_0000, BARE_LOADER_AT = 0x4420_0000;

/** How it sets S1 up. */
export interface BareFirmware {
  /** The level that it is entered at. */
  readonly level: 1 | 2;
  /** Bits of a virtual address (default 40). */
  readonly inputBits?: number;
  /** Default 4 KiB. */
  readonly granule?: GranuleShift;
  /** Attribute 0 is for devices, attribute 1 for RAM (default 0xff00). */
  readonly mair?: bigint;
  /** Whether the MMU goes on (default true). */
  readonly isMmuOn?: boolean;
}

const DEVICES = 0x0800_0000n, RAM = 0x4000_0000n, RAM_SIZE = 0x2000_0000n;
const TABLES = 16;

/** Its tables, for BARE_TABLES_AT: devices and 512 MiB of RAM at their physical addresses, in large blocks. */
export function bareTables({ level, inputBits = 40, granule = 12 }: BareFirmware): Uint8Array<ArrayBuffer> {
  const builder = new TranslationTableBuilder({ granule, inputBits }, BigInt(BARE_TABLES_AT), TABLES);
  const map = (virtual: bigint, size: bigint, attributes: bigint) =>
    builder.map({ virtual, physical: virtual, size, attributes });
  map(DEVICES, 0x0200_0000n, leafAttributes(level, "device"));
  map(RAM, RAM_SIZE, leafAttributes(level, "image"));
  return builder.bytes;
}

/** Its code, for BARE_FIRMWARE_AT; entered at its first byte. */
export function bareFirmware(options: BareFirmware): Program {
  const { level, inputBits = 40, granule = 12, mair = 0xff00n, isMmuOn = true } = options;
  const tcr = translationControl(level, { granule, inputBits }) | 2n << BigInt(physicalSizeShift(level));
  return assembleProgram(
    `
        ldr     x0, =${BARE_TABLES_AT}
        msr     ttbr0_el${level}, x0
        ldr     x0, =${mair}
        msr     mair_el${level}, x0
        ldr     x0, =${tcr}
        msr     tcr_el${level}, x0
        tlbi    ${level === 1 ? "vmalle1" : "alle2"}
        dsb     sy
        isb
        mrs     x0, sctlr_el${level}
        ldr     x1, =${isMmuOn ? 0x1005 : 0}
        orr     x0, x0, x1
        msr     sctlr_el${level}, x0
        isb
        adr     x0, stack
        mov     sp, x0
        ldr     x1, =${BARE_LOADER_AT}
        br      x1
        .ltorg
        .balign 16
        .space  1024
stack:
`,
    { name: "bare_firmware", base: BigInt(BARE_FIRMWARE_AT) },
  );
}
