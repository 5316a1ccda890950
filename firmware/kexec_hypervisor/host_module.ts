/**
 * A module of Linux that gives EL2 of one CPU to a hypervisor, or takes it back: what adopts a running kernel as a guest.
 *
 * Its `init_module` runs on the CPU that loads it, at EL1 of a host that was entered at EL2 (nVHE, `kvm-arm.mode=none`). By
 * HVC_SOFT_RESTART of the kernel's stub (arch/arm64/kernel/hyp-stub.S) it enters the hypervisor at EL2, which comes back to EL1 with
 * stage 2 on; or it asks the hypervisor to leave. It then fails with EAGAIN, so that nothing of it stays and it can be loaded on
 * the next CPU. What it needs of its kernel's build (vermagic, CRC of module_layout, layout of struct module) comes from
 * another module of that kernel; it imports nothing.
 */
import { assembleProgram } from "../../machine/a64/program.ts";
import { ByteWriter } from "../../machine/layout.ts";

/** Before the words that the loader fills in: X0, X1 and X2 of the HVC. */
export const HOST_MODULE_MARK = "KXMODULE";

/** Errors that `init_module` gives: done; refused by the hypervisor; the host is at EL2 itself. */
const CODE = `
init_module:
        hint    #34                             // BTI c
        mrs     x0, currentel
        cmp     x0, #4
        mov     x0, #-95                        // EOPNOTSUPP
        b.ne    2f
        stp     x29, x30, [sp, #-112]!
        stp     x19, x20, [sp, #16]
        stp     x21, x22, [sp, #32]
        stp     x23, x24, [sp, #48]
        stp     x25, x26, [sp, #64]
        stp     x27, x28, [sp, #80]
        mrs     x0, daif
        str     x0, [sp, #96]
        msr     daifset, #15
        adr     x3, words
        ldp     x0, x1, [x3]
        ldr     x2, [x3, #16]
        hvc     #0
        isb
        ldr     x1, [sp, #96]
        msr     daif, x1
        mov     x2, #-11                        // EAGAIN: done
        mov     x3, #-5                         // EIO
        cmp     x0, #0
        csel    x0, x2, x3, eq
        ldp     x19, x20, [sp, #16]
        ldp     x21, x22, [sp, #32]
        ldp     x23, x24, [sp, #48]
        ldp     x25, x26, [sp, #64]
        ldp     x27, x28, [sp, #80]
        ldp     x29, x30, [sp], #112
2:      ret
        .balign 8
        .ascii  "${HOST_MODULE_MARK}"
words:  .quad   0, 0, 0
`;

/** What a module tells of its kernel. */
interface KernelLayout {
  /** `vermagic=…`. */
  readonly vermagic: string;
  /** Entry of module_layout in __versions: 64 bytes. */
  readonly versions: Uint8Array;
  /** Bytes of struct module. */
  readonly size: number;
  /** Offset of its member `init`. */
  readonly initAt: number;
}

/** struct module: the name is behind the state and a list. */
const NAME_AT = 24;
const VERSION_SIZE = 64, RELA_SIZE = 24, SECTION_SIZE = 64, SYMBOL_SIZE = 24;
const R_AARCH64_ABS64 = 257n;

function sectionsOf(file: Uint8Array): Map<string, Uint8Array> {
  const view = new DataView(file.buffer, file.byteOffset, file.length);
  if (file.length < 64 || view.getUint32(0) !== 0x7f45_4c46 || view.getUint16(16, true) !== 1) {
    throw new RangeError("The kernel's module is no relocatable ELF file");
  }
  const at = Number(view.getBigUint64(40, true)), count = view.getUint16(60, true);
  const bytesOf = (index: number): Uint8Array => {
    const offset = Number(view.getBigUint64(at + index * SECTION_SIZE + 24, true));
    return file.subarray(offset, offset + Number(view.getBigUint64(at + index * SECTION_SIZE + 32, true)));
  };
  const names = new TextDecoder().decode(bytesOf(view.getUint16(62, true)));
  const found = new Map<string, Uint8Array>();
  for (let index = 1; index < count; index++) {
    const name = view.getUint32(at + index * SECTION_SIZE, true);
    found.set(names.slice(name, names.indexOf("\0", name)), bytesOf(index));
  }
  return found;
}

/** Reads a module of the kernel; throws RangeError for one that does not tell what is needed. */
function layoutOf(template: Uint8Array): KernelLayout {
  const sections = sectionsOf(template), text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  const section = (name: string): Uint8Array => {
    const found = sections.get(name);
    if (found === undefined) throw new RangeError(`The kernel's module has no section ${name}`);
    return found;
  };
  const vermagic = text(section(".modinfo")).split("\0").find((line) => line.startsWith("vermagic="));
  const all = section("__versions");
  const index = Array.from({ length: all.length / VERSION_SIZE }, (_, entry) => entry * VERSION_SIZE)
    .find((at) => text(all.subarray(at + 8, at + VERSION_SIZE)).replace(/\0.*$/s, "") === "module_layout");
  const rela = section(".rela.gnu.linkonce.this_module");
  const initAt = Number(new DataView(rela.buffer, rela.byteOffset).getBigUint64(0, true));
  if (vermagic === undefined || index === undefined) {
    throw new RangeError("The kernel's module has no vermagic or no CRC of module_layout");
  }
  const size = section(".gnu.linkonce.this_module").length;
  return { vermagic, versions: all.slice(index, index + VERSION_SIZE), size, initAt };
}

interface Section {
  readonly name: string;
  readonly type: number;
  readonly flags: number;
  readonly bytes: Uint8Array;
  readonly align: number;
  readonly link?: number;
  readonly info?: number;
  readonly entry?: number;
}

const PROGBITS = 1, SYMTAB = 2, STRTAB = 3, RELA = 4;
const WRITE = 1, ALLOC = 2, EXECUTE = 4, INFO = 0x40;

function words(...values: readonly bigint[]): Uint8Array {
  const writer = new ByteWriter();
  for (const value of values) writer.u64(value);
  return writer.bytes();
}

function symbols(): Uint8Array {
  const writer = new ByteWriter();
  writer.raw(new Uint8Array(SYMBOL_SIZE));
  writer.u32(1);
  writer.u8(0x12); // global function
  writer.u8(0);
  writer.u16(1); // .text
  writer.u64(0n);
  writer.u64(0n);
  return writer.bytes();
}

/** Makes the module for the kernel that another module, `template`, was built for. Throws RangeError when it does not tell enough. */
export function hostModule(template: Uint8Array): Uint8Array<ArrayBuffer> {
  const { vermagic, versions, size, initAt } = layoutOf(template), encode = new TextEncoder();
  const structure = new Uint8Array(size), one = new Uint8Array(1);
  structure.set(encode.encode("kexec_hypervisor"), NAME_AT);
  const code = assembleProgram(CODE, { name: "host_module" }).bytes;
  const information = encode.encode(`license=GPL\0depends=\0name=kexec_hypervisor\0${vermagic}\0`);
  const plain = (name: string, flags: number, bytes: Uint8Array, align = 8): Section => ({
    ...{ name, type: PROGBITS, flags, bytes, align },
  });
  return relocatable([
    plain(".text", ALLOC | EXECUTE, code),
    plain(".gnu.linkonce.this_module", WRITE | ALLOC, structure, 64),
    {
      ...{ name: ".rela.gnu.linkonce.this_module", type: RELA, flags: INFO, align: 8, link: 9, info: 2 },
      bytes: words(BigInt(initAt), (1n << 32n) | R_AARCH64_ABS64, 0n),
      entry: RELA_SIZE,
    },
    plain(".plt", ALLOC | EXECUTE, one, 1),
    plain(".init.plt", ALLOC | EXECUTE, one, 1),
    plain(".text.ftrace_trampoline", ALLOC | EXECUTE, one, 1),
    plain(".modinfo", ALLOC, information, 1),
    plain("__versions", ALLOC, versions),
    {
      ...{ name: ".symtab", type: SYMTAB, flags: 0, align: 8, link: 10, info: 1 },
      bytes: symbols(),
      entry: SYMBOL_SIZE,
    },
    { name: ".strtab", type: STRTAB, flags: 0, bytes: encode.encode("\0init_module\0"), align: 1 },
  ]);
}

/** An ELF file of sections, the names' own behind them. */
function relocatable(sections: readonly Section[]): Uint8Array<ArrayBuffer> {
  const names = `\0${[...sections.map(({ name }) => name), ".shstrtab"].join("\0")}\0`;
  const all: Section[] = [...sections, {
    ...{ name: ".shstrtab", type: STRTAB, flags: 0, align: 1 },
    bytes: new TextEncoder().encode(names),
  }];
  const body = new ByteWriter(), headers = new ByteWriter();
  headers.raw(new Uint8Array(SECTION_SIZE));
  for (const { name, type, flags, bytes, align, link = 0, info = 0, entry = 0 } of all) {
    while (body.length % align !== 0) body.u8(0);
    headers.u32(names.indexOf(`\0${name}\0`) + 1);
    headers.u32(type);
    for (const value of [flags, 0, 64 + body.length, bytes.length]) headers.u64(BigInt(value));
    headers.u32(link);
    headers.u32(info);
    headers.u64(BigInt(align));
    headers.u64(BigInt(entry));
    body.raw(bytes);
  }
  while (body.length % 8 !== 0) body.u8(0);
  const file = new ByteWriter();
  file.raw(new Uint8Array([0x7f, 0x45, 0x4c, 0x46, 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0]));
  file.u16(1); // ET_REL
  file.u16(183);
  file.u32(1);
  file.u64(0n);
  file.u64(0n);
  file.u64(BigInt(64 + body.length));
  file.u32(0);
  for (const value of [64, 0, 0, SECTION_SIZE, all.length + 1, all.length]) file.u16(value);
  file.raw(body.bytes());
  file.raw(headers.bytes());
  return file.bytes();
}
