/** What a DPU's management controller reads and keeps of jobs: images' manifests, tasks and the job at work. */
import { z } from "zod";
import { TASK_STATES } from "./redfish.ts";

/** What the host publishes beside an image, at its URI with `.manifest` behind it. */
export const manifestSchema = z.strictObject({
  model: z.string().min(1).max(15),
  version: z.int().min(0).max(0xffff_ffff),
  size: z.int().min(1).max(2 ** 26),
  sha256: z.string().regex(/^[0-9a-f]{64}$/),
});
/** What it says. */
export type ImageManifest = z.infer<typeof manifestSchema>;

const task = z.strictObject({
  id: z.int(),
  state: z.enum(TASK_STATES),
  percent: z.int(),
  messages: z.array(z.string()),
});
/** A task. */
export type Task = z.infer<typeof task>;

/** How far a job is. */
export const PHASES = ["fetching", "waking", "transferring", "staged", "installing"] as const;

/** What is kept without power. */
export const recordSchema = z.strictObject({
  tasks: z.array(task),
  version: z.int().optional(),
  model: z.string().optional(),
  room: z.number().optional(),
  job: z.strictObject({
    task: z.int(),
    uri: z.string(),
    isForced: z.boolean(),
    phase: z.enum(PHASES),
    attempts: z.int(),
    manifest: manifestSchema.optional(),
  }).optional(),
});
/** What is kept without power. */
export type JobRecord = z.infer<typeof recordSchema>;

/** What a job is about, while it is. */
export type Job = NonNullable<JobRecord["job"]>;
