/** Pointer authentication in WebAssembly gives what pointer_authentication.ts and qarma5.ts give. */
import { assert, assertEquals } from "@std/assert";
import type { Cpu } from "../../../machine/cpu/cpu.ts";
import { addPac, authenticate, genericPac, stripPac } from "../../../machine/cpu/pointer_authentication.ts";
import { peekSystemRegister } from "../../../machine/cpu/system_registers.ts";
import { qarma5 } from "../../../machine/cpu/qarma5.ts";
import { LevelWords } from "../../../machine/engine/level_words.ts";
import {
  ADD_PAC,
  AUTHENTICATE,
  GENERIC_PAC,
  QARMA5,
  STRIP_PAC,
} from "../../../machine/engine/pointer_code.ts";
import { SHARED, SHARED_SIZE } from "../../../machine/engine/threaded_layout.ts";
import { ModuleWriter } from "../../../machine/wasm/module_writer.ts";
import { Choices } from "../../law/random.ts";
import { setRegisters } from "../cpu/access_support.ts";
import { putAt, testCpus } from "../cpu/support.ts";

const SEED = 20261121, CIPHERS = 100_000, SETTINGS = 300, POINTERS = 40;
/** Where a key is in the memory of the test; SHARED is at 0. */
const KEY = SHARED_SIZE;

const memory = new WebAssembly.Memory({ initial: 1, maximum: 1 });
const words = new Int32Array(memory.buffer, 0, SHARED_SIZE / 4);
const key = new BigUint64Array(memory.buffer, KEY, 2);

type PointerFunction = (pointer: bigint, modifier: bigint, key: number, shared: number, n: number) => bigint;

const { cipher, ...code } = functions();

function functions() {
  const module = new ModuleWriter();
  module.importMemory("env", "memory", 1, 1);
  for (const shared of [QARMA5, ADD_PAC, AUTHENTICATE, STRIP_PAC, GENERIC_PAC]) {
    const index = module.declare(module.type(shared.parameters, [shared.result]));
    module.exportFunction(String(index), index);
    const body = module.define(index);
    for (let parameter = 0; parameter < shared.parameters.length; parameter++) body.localGet(parameter);
    body.callShared(shared);
  }
  const { exports } = new WebAssembly.Instance(new WebAssembly.Module(module.finish()), { env: { memory } });
  const at = (name: string) => exports[name] as PointerFunction;
  const numbers = Object.keys(exports).map(Number).sort((a, b) => a - b);
  const [cipher, add, check, strip, generic] = numbers.map((number) => at(String(number))) as [
    unknown,
    PointerFunction,
    PointerFunction,
    PointerFunction,
    PointerFunction,
  ];
  return { cipher: cipher as typeof qarma5, add, check, strip, generic };
}

const unsigned = (value: bigint): bigint => BigInt.asUintN(64, value);
const wide = (choices: Choices): bigint =>
  BigInt(choices.below(2 ** 32)) << 32n | BigInt(choices.below(2 ** 32));

Deno.test(`QARMA5 gives what qarma5 gives, ${CIPHERS} cases from seed ${SEED}`, () => {
  const choices = new Choices(SEED);
  assertEquals(
    unsigned(
      cipher(0xfb62_3599_da6e_8127n, 0x477d_469d_ec0b_8762n, 0x84be_85ce_9804_e94bn, 0xec28_02d4_e0a4_88e9n),
    ),
    0xc003_b939_99b3_3765n,
  );
  for (let index = 0; index < CIPHERS; index++) {
    const [text, tweak, upper, lower] = [wide(choices), wide(choices), wide(choices), wide(choices)] as const;
    const found = unsigned(cipher(text, tweak, upper, lower));
    if (found !== qarma5(text, tweak, upper, lower)) assertEquals([text, tweak, upper, lower, found], []);
  }
});

/** A CPU at EL0 or EL1 with any keys, some enabled, any sizes of addresses, and any of TBI and TBID. */
function randomCpu(choices: Choices): Cpu {
  const { cpu } = testCpus({ model: "max" });
  putAt(cpu, choices.below(2) as 0 | 1);
  const bits = (...places: bigint[]): bigint =>
    places.reduce((sum, place) => choices.oneIn(2) ? sum | 1n << place : sum, 0n);
  const sizes = BigInt(choices.between(14, 41)) | BigInt(choices.between(14, 41)) << 16n;
  setRegisters(cpu, {
    SCTLR_EL1: 0x30d0_0800n | bits(31n, 30n, 27n, 13n),
    TCR_EL1: sizes | 2n << 30n | bits(37n, 38n, 51n, 52n),
    APIAKeyLo_EL1: wide(choices),
    APIAKeyHi_EL1: wide(choices),
    APIBKeyLo_EL1: wide(choices),
    APDAKeyHi_EL1: wide(choices),
    APDBKeyLo_EL1: wide(choices),
    APGAKeyLo_EL1: wide(choices),
    APGAKeyHi_EL1: wide(choices),
  });
  return cpu;
}

const KEY_NAMES = ["IA", "IB", "DA", "DB", "GA"];

function putKey(cpu: Cpu, number: number): void {
  const half = (name: string) => peekSystemRegister(cpu, `AP${KEY_NAMES[number]}Key${name}_EL1`);
  key[0] = half("Lo");
  key[1] = half("Hi");
}

/** Addresses of either range, and what is none. */
function randomPointer(choices: Choices): bigint {
  const value = wide(choices), address = value & (1n << BigInt(choices.between(20, 48))) - 1n;
  return choices.of([
    value,
    address,
    unsigned(~address),
    address | 0xabn << 56n,
    unsigned(~address) ^ 0xabn << 56n,
  ]);
}

Deno.test(`pointers get the codes that the evaluated instructions give them, seed ${SEED}`, () => {
  const choices = new Choices(SEED);
  let right = 0;
  for (let setting = 0; setting < SETTINGS; setting++) {
    const cpu = randomCpu(choices), level = new LevelWords(words as Int32Array<ArrayBuffer>);
    level.begin(cpu);
    level.askTraps(cpu);
    assert(words[SHARED.pointerKeys >> 2] !== 0);
    for (let index = 0; index < POINTERS; index++) {
      const number = choices.below(4), modifier = wide(choices), pointer = randomPointer(choices);
      putKey(cpu, number);
      const signed = addPac(cpu, number, pointer, modifier);
      const call = (run: PointerFunction, pointer: bigint): bigint =>
        unsigned(run(pointer, modifier, KEY, 0, number));
      assertEquals(call(code.add, pointer), signed);
      for (const other of [signed, pointer, signed ^ 1n << BigInt(choices.below(64))]) {
        const checked = authenticate(cpu, number, other, modifier);
        if (checked !== other) right++;
        assertEquals(call(code.check, other), checked);
        assertEquals(call(code.strip, other), stripPac(cpu, number > 1, other));
      }
      putKey(cpu, 4);
      assertEquals(call(code.generic, pointer), genericPac(cpu, pointer, modifier));
    }
  }
  assert(right > SETTINGS * POINTERS);
});
