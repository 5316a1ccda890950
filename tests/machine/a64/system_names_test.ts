/** Tests of the names of system registers and instructions. */
import { assert, assertEquals } from "@std/assert";
import {
  encodingOfSystemRegister,
  SYSTEM_INSTRUCTIONS,
  SYSTEM_REGISTERS,
  systemEncoding,
  systemInstructionName,
  systemRegisterName,
} from "../../../machine/a64/system_names.ts";

Deno.test("SYSTEM_REGISTERS has the encodings of the Arm ARM", () => {
  assertEquals(SYSTEM_REGISTERS.MIDR_EL1, systemEncoding(3, 0, 0, 0, 0));
  assertEquals(SYSTEM_REGISTERS.ESR_EL2, systemEncoding(3, 4, 5, 2, 0));
  assertEquals(SYSTEM_REGISTERS.CNTHPS_CVAL_EL2, systemEncoding(3, 4, 14, 5, 2));
  assertEquals(SYSTEM_REGISTERS.DBGWCR15_EL1, systemEncoding(2, 0, 0, 15, 7));
  assertEquals(SYSTEM_REGISTERS.TRCLAR, systemEncoding(2, 1, 7, 12, 6));
});

Deno.test("encodingOfSystemRegister is the inverse of systemRegisterName for all 32768 encodings", () => {
  for (let encoding = 0x8000; encoding < 0x10000; encoding++) {
    for (const access of ["read", "write"] as const) {
      const name = systemRegisterName(encoding, access);
      assertEquals(encodingOfSystemRegister(name), encoding, name);
      assertEquals(encodingOfSystemRegister(name.toLowerCase()), encoding, name);
    }
  }
});

Deno.test("systemRegisterName gives a name only for the accesses that exist", () => {
  const data = SYSTEM_REGISTERS.DBGDTRRX_EL0 as number;
  assertEquals(systemRegisterName(data, "read"), "DBGDTRRX_EL0");
  assertEquals(systemRegisterName(data, "write"), "DBGDTRTX_EL0");
  assertEquals(systemRegisterName(SYSTEM_REGISTERS.MIDR_EL1 as number, "write"), "S3_0_C0_C0_0");
});

Deno.test("encodingOfSystemRegister knows nothing of what does not exist", () => {
  for (const name of ["", "X0", "MIDR_EL9", "S3_0_C16_C0_0", "S3_8_C0_C0_0", "constructor"]) {
    assertEquals(encodingOfSystemRegister(name), undefined, name);
  }
});

Deno.test("SYSTEM_INSTRUCTIONS tells which take a register, and systemInstructionName is its inverse", () => {
  assertEquals(SYSTEM_INSTRUCTIONS["dc civac"], {
    encoding: systemEncoding(1, 3, 7, 14, 1),
    hasRegister: true,
  });
  assertEquals(SYSTEM_INSTRUCTIONS["ic iallu"], {
    encoding: systemEncoding(1, 0, 7, 5, 0),
    hasRegister: false,
  });
  assertEquals(SYSTEM_INSTRUCTIONS["tlbi vmalls12e1is"]?.hasRegister, false);
  for (const [name, { encoding }] of Object.entries(SYSTEM_INSTRUCTIONS)) {
    assertEquals(systemInstructionName(encoding), name);
    assert(encoding >> 14 === 1, name);
  }
});
