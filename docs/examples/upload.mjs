// Node 18 or later, nothing to install: an upload is checked before anybody sees it.
//
// Run it: node upload.mjs 8000. In Express, receive(), event() and the two routes are the same, with
// express.raw({ type: '*/*', limit: BYTES_MAX }) in place of body().
//
// Put your own storage and database where it uses folders below UPLOADS:
//   media/REF        users see it
//   held/REF         only reviewers see it
//   cases/REF*.json  waits for a person's decision; nothing here deletes an upload
//   unchecked/REF    the sidecar could not take it: checkAgain() sends it again

import crypto from 'node:crypto';
import fs from 'node:fs/promises';
import http from 'node:http';
import path from 'node:path';

const SIDECAR = process.env.HASHPACT_SIDECAR ?? 'http://127.0.0.1:7480';
const SIDECAR_SECRET = process.env.HASHPACT_SIDECAR_SECRET ?? '';
const TIMEOUT_MS = Number(process.env.HASHPACT_TIMEOUT_S ?? 3) * 1000; // a second more than the sidecar's deadline_s
const WEBHOOK_SECRET = process.env.HASHPACT_WEBHOOK_SECRET ?? '';
const FOLDER = process.env.UPLOADS ?? 'uploads';
const BYTES_MAX = 50_000_000;
const AGAIN_MS = 60_000;
const place = (...parts) => path.join(FOLDER, ...parts);

// Take an upload in. It is published unless the advice is act; the uploader is not told what matched.
async function receive(data) {
  const reference = crypto.randomBytes(16).toString('hex'); // random: it tells nothing about the user
  await write(place('held', reference), data);
  const answer = await ask(reference, data);
  await follow(reference, answer);
  if (answer.advice !== 'act') {
    await move(reference, 'held', 'media');
    if (await toBeHeld(reference)) await move(reference, 'media', 'held'); // an event came in this very moment
  }
  return { id: reference, state: answer.advice === 'act' ? 'held' : 'published' };
}

// The sidecar's answer. Never throws and never takes longer than TIMEOUT_MS: then it is unchecked.
async function ask(reference, data) {
  try {
    const headers = { 'content-type': 'application/octet-stream' };
    if (SIDECAR_SECRET) headers.authorization = `Bearer ${SIDECAR_SECRET}`;
    const signal = AbortSignal.timeout(TIMEOUT_MS); // holds for the answer's body too
    const url = `${SIDECAR}/v1/check?reference=${reference}`;
    const response = await fetch(url, { method: 'POST', body: data, headers, signal });
    const answer = await response.json();
    if (response.ok && answer.verdict && answer.advice) return answer;
    console.warn('the sidecar refused', reference, response.status); // 401, 403: look at your settings
    // 413, 422: too large, or no picture. Asking again changes nothing.
    return { verdict: [413, 422].includes(response.status) ? 'unreadable' : 'unchecked', advice: 'none' };
  } catch (error) {
    console.warn('no answer about', reference, error.cause?.code ?? error.name);
    return { verdict: 'unchecked', advice: 'none' };
  }
}

// Do what an answer advises; the same one twice changes nothing. It only ever holds: publishing is for others.
async function follow(reference, answer, why = 'check', key = '') {
  if (answer.verdict === 'unchecked' && !answer.recheck) await write(place('unchecked', reference), ''); // else the sidecar sees to it
  if (!['none', 'observe'].includes(answer.advice) || why === 'upload.undo') {
    const opened = { reference, why, opened: new Date().toISOString(), answer };
    await write(place('cases', `${reference}${key}.json`), `${JSON.stringify(opened)}\n`);
  }
  if (answer.advice === 'act' && why !== 'upload.undo') await move(reference, 'media', 'held');
}

// Take an event of the webhook. Throws unless the sidecar sent it.
async function event(headers, data) {
  verify(headers, data, WEBHOOK_SECRET);
  const told = JSON.parse(data);
  if (!/^[0-9a-f]{32}$/.test(told.reference)) return; // not one of ours
  // An event can come twice, with one id: so its case has one name.
  const key = crypto.createHash('sha256').update(headers['webhook-id']).digest('hex').slice(0, 16);
  await follow(told.reference, told, told.type, `-${key}`);
}

// Throws unless the sidecar sent these bytes, and lately.
function verify(headers, data, secret, toleranceS = 300) {
  const id = headers['webhook-id'], when = headers['webhook-timestamp'];
  const recent = Math.abs(Date.now() / 1000 - Number(when)) <= toleranceS;
  if (!secret || !recent) throw new Error('no secret is set, or the event is too old, or from the future');
  const key = Buffer.from(secret.replace(/^whsec_/, ''), 'base64');
  const expected = crypto.createHmac('sha256', key).update(`${id}.${when}.`).update(data).digest();
  const given = (headers['webhook-signature'] ?? '').split(' ').filter((one) => one.startsWith('v1,'))
    .map((one) => Buffer.from(one.slice(3), 'base64'));
  if (!given.some((one) => one.length === expected.length && crypto.timingSafeEqual(one, expected))) {
    throw new Error('the signature is wrong');
  }
}

// Send what the sidecar could not take once more.
async function checkAgain() {
  for (const reference of (await fs.readdir(place('unchecked'))).filter((name) => !name.startsWith('.'))) {
    const data = await fs.readFile(place('media', reference)).catch(() => fs.readFile(place('held', reference))).catch(() => null);
    const answer = data ? await ask(reference, data) : { verdict: 'deleted', advice: 'none' };
    if (answer.verdict === 'unchecked' && !answer.recheck) continue;
    await follow(reference, answer, 'check_again');
    await fs.rm(place('unchecked', reference));
  }
}

async function toBeHeld(reference) {
  for (const name of (await fs.readdir(place('cases'))).filter((one) => one.startsWith(reference))) {
    if (JSON.parse(await fs.readFile(place('cases', name))).answer.advice === 'act') return true;
  }
  return false;
}

// All of a file or nothing; what is there already stays.
async function write(file, data) {
  const part = path.join(path.dirname(file), `.${crypto.randomBytes(8).toString('hex')}`);
  await fs.writeFile(part, data, { mode: 0o600 });
  await fs.link(part, file).catch((error) => { if (error.code !== 'EEXIST') throw error; });
  await fs.rm(part);
}

async function move(reference, from, to) {
  await fs.rename(place(from, reference), place(to, reference))
    .catch((error) => { if (error.code !== 'ENOENT') throw error; });
}

async function body(request) {
  const parts = [];
  let size = 0;
  for await (const part of request) {
    if ((size += part.length) > BYTES_MAX) throw Object.assign(new Error('too large'), { status: 413 });
    parts.push(part);
  }
  return Buffer.concat(parts);
}

const routes = {
  '/upload': async (request) => [201, await receive(await body(request))],
  '/hashpact-events': async (request) => {
    const data = await body(request);
    try {
      await event(request.headers, data);
    } catch (error) {
      return [401, { error: error.message }];
    }
    return [204];
  },
};

for (const name of ['media', 'held', 'cases', 'unchecked']) await fs.mkdir(place(name), { recursive: true, mode: 0o700 });
http.createServer(async (request, response) => {
  let [status, told] = [404];
  try {
    if (request.method === 'POST' && routes[request.url]) [status, told] = await routes[request.url](request);
  } catch (error) {
    [status, told] = [error.status ?? 500, { error: error.status ? error.message : 'try again' }];
    console.error(error);
  }
  response.writeHead(status, { 'content-type': 'application/json' }).end(told && `${JSON.stringify(told)}\n`);
}).listen(Number(process.argv[2] ?? 8000), '127.0.0.1', function () {
  console.log(`listening on ${this.address().port}`);
});
const again = () => checkAgain().catch(console.error).finally(() => setTimeout(again, AGAIN_MS).unref());
again();
