/** Admin commands (NVM Express 1.4, section 5): a table from opcode to what the controller does. */
import { dword, ended, flagsStatus, type NvmeCommand, type Outcome, wide } from "./command.ts";
import type { EventRequests } from "./event_requests.ts";
import { type FeatureValues, getFeature, setFeature } from "./features.ts";
import {
  controllerStructure,
  emptyStructure,
  EVERY_NAMESPACE,
  LARGEST_TRANSFER,
  NAMESPACE,
  namespaceDescriptors,
  namespaceList,
  NAMESPACES,
  namespaceStructure,
} from "./identify.ts";
import { ERROR_LOG, HEALTH_LOG, logPage, type Statistics } from "./log_pages.ts";
import { IO_QUEUES, type NvmeQueues, QUEUE_ENTRIES } from "./queues.ts";
import { STATUS } from "./status.ts";
import type { Transfer } from "./transfer.ts";

/** What admin commands act on. */
export interface AdminContext {
  /** `serial=`. */
  readonly serial: string;
  /** Blocks of the disk. */
  readonly blocks: number;
  /** The disk takes no writes. */
  readonly readOnly: boolean;
  /** Moves data. */
  readonly transfer: Transfer;
  /** CC.MPS in bytes. */
  readonly pageSize: number;
  /** The driver uses MSI-X. */
  readonly usesMsix: boolean;
  /** All queues. */
  readonly queues: NvmeQueues;
  /** Values of features. */
  readonly features: FeatureValues;
  /** Events and requests for them. */
  readonly events: EventRequests;
  /** What was counted. */
  readonly statistics: Statistics;
  /** Makes what was written durable. */
  flush(): void;
}

type AdminCommand = (context: AdminContext, command: NvmeCommand) => Outcome | undefined;

/** Every admin command that there is. */
// deno-fmt-ignore
const COMMANDS: Readonly<Record<number, AdminCommand>> = {
  0x00: deleteSubmissionQueue,
  0x01: createSubmissionQueue,
  0x02: getLogPage,
  0x04: deleteCompletionQueue,
  0x05: createCompletionQueue,
  0x06: identify,
  0x08: abort,
  0x09: setFeatures,
  0x0a: ({ features }, command) => getFeature(features, command),
  0x0c: ({ events }, { identifier }) => events.request(identifier),
};

/** Carries out an admin command; undefined for one that waits. */
export function adminCommand(context: AdminContext, command: NvmeCommand): Outcome | undefined {
  const carryOut = COMMANDS[command.opcode];
  if (carryOut === undefined) return ended(STATUS.invalidOpcode);
  const status = flagsStatus(command);
  return status === STATUS.success ? carryOut(context, command) : ended(status);
}

/** Number and entries of a queue to be created; a number is a status. */
function queueOf(command: NvmeCommand, pageSize: number, isTaken: (id: number) => boolean) {
  const id = dword(command, 10) & 0xffff, entries = dword(command, 10) >>> 16;
  if (id === 0 || id > IO_QUEUES || isTaken(id)) return STATUS.invalidQueue;
  if (entries === 0 || entries >= QUEUE_ENTRIES) return STATUS.invalidQueueSize;
  if ((command.prp1 & BigInt(pageSize - 1)) !== 0n) return STATUS.invalidPrpOffset;
  return { id, size: entries + 1 };
}

/** Bit of Command Dword 11: the queue's memory is in one piece. */
const CONTIGUOUS = 1;
/** Bit of Command Dword 11: completions cause interrupts. */
const INTERRUPTS = 2;

function createCompletionQueue({ queues, pageSize, usesMsix }: AdminContext, command: NvmeCommand): Outcome {
  const queue = queueOf(command, pageSize, (id) => queues.completion(id) !== undefined);
  if (typeof queue === "number") return ended(queue);
  const flags = dword(command, 11), vector = flags >>> 16;
  if (vector > (usesMsix ? IO_QUEUES : 0)) return ended(STATUS.invalidVector);
  if ((flags & CONTIGUOUS) === 0) return ended(STATUS.invalidField);
  queues.addCompletion(queue.id, command.prp1, queue.size, { vector, enabled: (flags & INTERRUPTS) !== 0 });
  return ended(STATUS.success);
}

function createSubmissionQueue({ queues, pageSize }: AdminContext, command: NvmeCommand): Outcome {
  const flags = dword(command, 11), completion = flags >>> 16;
  if (completion === 0 || queues.completion(completion) === undefined) {
    return ended(STATUS.invalidCompletionQueue);
  }
  const queue = queueOf(command, pageSize, (id) => queues.submission(id) !== undefined);
  if (typeof queue === "number") return ended(queue);
  if ((flags & CONTIGUOUS) === 0) return ended(STATUS.invalidField);
  queues.addSubmission(queue.id, completion, command.prp1, queue.size);
  return ended(STATUS.success);
}

function deleteSubmissionQueue({ queues }: AdminContext, command: NvmeCommand): Outcome {
  const id = dword(command, 10) & 0xffff;
  if (id === 0 || queues.submission(id) === undefined) return ended(STATUS.invalidQueue);
  queues.removeSubmission(id);
  return ended(STATUS.success);
}

function deleteCompletionQueue({ queues }: AdminContext, command: NvmeCommand): Outcome {
  const id = dword(command, 10) & 0xffff;
  if (id === 0 || queues.completion(id) === undefined) return ended(STATUS.invalidCompletionQueue);
  if (queues.submissions.some(({ completion }) => completion === id)) {
    return ended(STATUS.invalidQueueDeletion);
  }
  queues.removeCompletion(id);
  return ended(STATUS.success);
}

/** What Identify can show, by Controller or Namespace Structure. */
// deno-fmt-ignore
const STRUCTURES: Readonly<Record<number, (context: AdminContext, namespace: number) => Uint8Array | number>> = {
  0: ({ blocks, readOnly }, namespace) => {
    if (!isPossible(namespace)) return STATUS.invalidNamespace;
    return namespace === NAMESPACE ? namespaceStructure(blocks, readOnly) : emptyStructure();
  },
  1: ({ serial }) => controllerStructure(serial),
  2: (_context, namespace) => namespace >= EVERY_NAMESPACE - 1 ? STATUS.invalidNamespace : namespaceList(namespace),
  3: (_context, namespace) => {
    if (!isPossible(namespace)) return STATUS.invalidNamespace;
    return namespace === NAMESPACE ? namespaceDescriptors() : STATUS.invalidField;
  },
};

function isPossible(namespace: number): boolean {
  return namespace > 0 && namespace <= NAMESPACES;
}

function identify(context: AdminContext, command: NvmeCommand): Outcome {
  const structure = STRUCTURES[dword(command, 10) & 0xff]?.(context, command.namespace) ??
    STATUS.invalidField;
  return ended(typeof structure === "number" ? structure : context.transfer.toMemory(command, structure));
}

function getLogPage(context: AdminContext, command: NvmeCommand): Outcome {
  const [number, length] = [dword(command, 10) & 0xff, dword(command, 10) >>> 16];
  const size = (length + (dword(command, 11) & 0xffff) * 2 ** 16 + 1) * 4;
  const offset = wide(command, 12);
  const page = logPage(number, context.statistics);
  if (page === undefined || size > LARGEST_TRANSFER || offset % 4 !== 0 || offset >= page.length) {
    return ended(STATUS.invalidField);
  }
  if (number === HEALTH_LOG && ![0, NAMESPACE, EVERY_NAMESPACE].includes(command.namespace)) {
    return ended(STATUS.invalidNamespace);
  }
  const retains = (dword(command, 10) >>> 15 & 1) !== 0;
  if (number === ERROR_LOG && !retains) context.events.errorsRead();
  return ended(context.transfer.toMemory(command, page.subarray(offset, offset + size)));
}

/** Every command is finished by the time another is taken: there is nothing to abort. */
function abort({ queues }: AdminContext, command: NvmeCommand): Outcome {
  const isThere = queues.submission(dword(command, 10) & 0xffff) !== undefined;
  return ended(isThere ? STATUS.success : STATUS.invalidField, 1);
}

/** Without a cache, nothing that was written stays volatile. */
function setFeatures({ features, queues, flush }: AdminContext, command: NvmeCommand): Outcome {
  const outcome = setFeature(features, command, queues.completions.some(({ id }) => id > 0));
  if (features.cache === 0) flush();
  return outcome;
}
