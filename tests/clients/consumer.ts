// What an LMS written in TypeScript does with the types that openapi-typescript makes of the OpenAPI document.

import createClient from "openapi-fetch";

import type { components, operations, paths } from "./api";

type Attempt = components["schemas"]["AttemptSummary"];

export async function play(baseUrl: string, token: string): Promise<Attempt> {
  const client = createClient<paths>({ baseUrl, headers: { Authorization: `Bearer ${token}` } });

  const opened = await client.POST("/v1/sessions", {
    body: { learner: { id: "u1", name: "Ada" }, activity: "235", scorm_version: "1.2" },
  });
  if (opened.error) throw new Error(`${opened.error.code}: ${opened.error.detail}`);
  const { session_id, commit_url, attempt } = opened.data;
  const url: string = commit_url;
  if (!url) throw new Error("no commit URL");

  const cmi = { core: { lesson_status: "completed", score: { raw: "85" } } };
  await client.POST("/v1/sessions/{session_id}/commits", {
    params: { path: { session_id }, header: { "Idempotency-Key": "first" } },
    body: { cmi },
  });
  const stored = await client.POST("/v1/commits", { body: { learner: "u2", activity: { id: "236" }, cmi } });
  for (const warning of stored.data?.warnings ?? []) console.warn(warning.code, warning.message);

  const read = await client.GET("/v1/attempts/{attempt_id}", {
    params: { path: { attempt_id: attempt.id }, query: { commits_after: "0" } },
  });
  for (const statement of read.data?.statements ?? []) {
    for (const delivery of statement.deliveries) console.log(statement.id, delivery.target, delivery.state);
  }
  await client.GET("/v1/attempts/{attempt_id}", {
    // @ts-expect-error -- the address does not take it
    params: { path: { attempt_id: attempt.id }, query: { since: "2026-01-31" } },
  });

  const ready = await client.GET("/readyz");
  const waiting: Record<string, number> | undefined = ready.data?.waiting;
  if (ready.error) console.warn(ready.error.status, ready.error.reason, waiting);

  return read.data?.attempt ?? attempt;
}

export type Operation = keyof operations;
