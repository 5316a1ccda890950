/** The objects of the hypervisor kernel as plain data: instances, resource groups, virtual machines, images. */
import { z } from "zod";

/** Bytes of a page, by which memory is counted, and pages of a block, by which it is given out. */
export const PAGE_BYTES = 4096, BLOCK_PAGES = 512, BLOCK_BYTES: number = PAGE_BYTES * BLOCK_PAGES;

/** Instances, and virtual machines of one, are numbered from 1. */
export const MOST_INSTANCES = 64, MOST_VMS = 255;
/** Groups of one instance; its own root is number 0. */
export const MOST_GROUPS = 255;

const count = z.int().min(0).max(2 ** 32 - 1);
const name = z.string().regex(/^[a-z0-9][a-z0-9-]{0,15}$/, "1 to 16 of a-z, 0-9 and -");

/** What a group may have in all, with those inside it; `share` is its weight among its siblings. */
export const limitsSchema = z.strictObject({
  pages: count,
  devices: count,
  share: z.int().min(1).max(1_000_000),
});
/** Limits of a group. */
export type Limits = z.infer<typeof limitsSchema>;

const groupSchema = z.strictObject({
  number: count,
  parent: count.nullable(),
  name,
  handle: z.string(),
  limits: limitsSchema,
  pages: count,
  devices: count,
  /** Time that it has used, by its share; and what those inside it have reached, for who comes later. */
  pass: z.number(),
  floor: z.number(),
});
/** A resource group. */
export type Group = z.infer<typeof groupSchema>;

const vmSchema = z.strictObject({
  number: count,
  name,
  handle: z.string(),
  group: count,
  pages: count,
  share: count,
  image: name,
  initrd: name.nullable(),
  arguments: z.string().max(1024),
  isOn: z.boolean(),
  isPaused: z.boolean(),
  outcome: z.enum(["new", "off", "reset", "stopped"]),
  pass: z.number(),
});
/** A virtual machine as the kernel knows it; what runs is in `virtual_machine.ts`. */
export type VmObject = z.infer<typeof vmSchema>;

/** Contents that virtual machines are started with: bytes of the machine's RAM. */
export const imageSchema = z.strictObject({ name, address: z.int().min(0), size: z.int().min(1) });
/** An image of an instance's storage. */
export type Image = z.infer<typeof imageSchema>;

/** Who makes calls; a text that only the owner has. */
export const credentialSchema = z.string().min(4).max(64);

const instanceSchema = z.strictObject({
  number: z.int().min(1).max(MOST_INSTANCES),
  name,
  credential: credentialSchema,
  /** Counts what was ever made, for handles; and how often its management plane has begun. */
  serial: count,
  generation: count,
  /** Its management plane crashed, and nobody has found that out yet. */
  isDown: z.boolean(),
  images: z.array(imageSchema).max(64),
  groups: z.array(groupSchema).min(1).max(MOST_GROUPS),
  vms: z.array(vmSchema).max(MOST_VMS),
});
/** An instance: a virtual hypervisor with a namespace of its own. */
export type Instance = z.infer<typeof instanceSchema>;

/** The kernel's state. */
export const kernelSchema = z.strictObject({
  /** The operator's own credential; none can be given where it is empty. */
  operator: z.string().max(64),
  /** Pages that instances can be given. */
  pages: count,
  instances: z.array(instanceSchema).max(MOST_INSTANCES),
  /** What instances have reached, for who comes later. */
  floor: z.number(),
});
/** The kernel's state. */
export type KernelState = z.infer<typeof kernelSchema>;

/** Text of a name, for schemas of calls. */
export const nameSchema: z.ZodString = name;

/** What a virtual machine is called in the journal: its instance and its number there. */
export interface VmKey {
  /** Number of the instance. */
  readonly instance: number;
  /** Number in the instance. */
  readonly vm: number;
}

/** The key as one number. */
export const keyOf = ({ instance, vm }: VmKey): number => instance * 256 + vm;

/** Errors of calls (POSIX.1 names). */
export type ErrorCode = "EACCES" | "EBUSY" | "EEXIST" | "EINVAL" | "EIO" | "ENOENT" | "ENOMEM";

/** A call that cannot be done; nothing was changed. */
export class CallError extends Error {
  /** `code` is all that a caller is told. */
  constructor(readonly code: ErrorCode) {
    super(code);
  }
}
