// What programs in Node do with an etcd, by the npm package etcd3. The store's URL is the argument. It ends with an error
// at the first answer that is not etcd's.
import assert from 'node:assert/strict';
import { once } from 'node:events';
import { Etcd3, EtcdLockFailedError, EtcdUserNotFoundError } from 'etcd3';

const hosts = process.argv[2];
const client = new Etcd3({ hosts });

async function keys() {
  await client.put('app/one').value('1');
  await client.put('app/two').value('2');
  await client.put('app/three').value('3');
  assert.equal(await client.get('app/one').string(), '1');
  assert.equal(await client.get('app/none'), null);
  assert.equal(await client.get('app/two').number(), 2);
  assert.deepEqual(await client.getAll().prefix('app/').strings(), { 'app/one': '1', 'app/two': '2', 'app/three': '3' });
  assert.deepEqual(await client.getAll().prefix('app/').sort('Key', 'Descend').limit(2).keys(), ['app/two', 'app/three']);
  assert.equal(await client.getAll().prefix('app/').count(), 3);
  const deleted = await client.delete().key('app/one').getPrevious();
  assert.equal(deleted[0].value.toString(), '1');

  const space = client.namespace('space/');
  await space.put('key').value('inside');
  assert.equal(await client.get('space/key').string(), 'inside');
  await space.delete().all();
  assert.equal(await client.get('space/key'), null);
}

async function transactions() {
  const create = (value) => client.if('txn', 'Create', '==', 0).then(client.put('txn').value(value)).else(client.get('txn')).commit();
  assert.equal((await create('first')).succeeded, true);
  const second = await create('second');
  assert.equal(second.succeeded, false);
  assert.equal(second.responses[0].response_range.kvs[0].value.toString(), 'first');
  await client.put('counter').value('0');
  await Promise.all(
    Array.from({ length: 4 }, async () => {
      for (let done = 0; done < 5; ) {
        const { kvs } = await client.get('counter').exec();
        const next = String(Number(kvs[0].value) + 1);
        const { succeeded } = await client.if('counter', 'Mod', '==', kvs[0].mod_revision).then(client.put('counter').value(next)).commit();
        if (succeeded) done++;
      }
    }),
  );
  assert.equal(await client.get('counter').number(), 20);
}

async function watches() {
  const { header } = await client.put('watched/a').value('past');
  const watcher = await client.watch().prefix('watched/').startRevision(header.revision).create();
  const seen = [];
  const all = new Promise((resolve) => {
    watcher.on('put', (kv, previous) => seen.push(`put ${kv.key} ${kv.value}`) === 3 && resolve());
    watcher.on('delete', (kv) => seen.push(`delete ${kv.key}`) === 3 && resolve());
  });
  await client.put('watched/b').value('now');
  await client.delete().key('watched/a');
  await all;
  assert.deepEqual(seen, ['put watched/a past', 'put watched/b now', 'delete watched/a']);
  await watcher.cancel();
}

async function leases() {
  const lease = client.lease(5);
  await lease.put('leased').value('mine');
  assert.equal(await client.get('leased').string(), 'mine');
  await lease.keepaliveOnce();
  await lease.revoke();
  assert.equal(await client.get('leased'), null);

  const short = client.lease(1, { autoKeepAlive: false });
  const watcher = await client.watch().key('short').create();
  await short.put('short').value('soon gone');
  await once(watcher, 'delete');
  await watcher.cancel();
}

async function locksAndElections() {
  const lock = await client.lock('mutex').ttl(5).acquire();
  await assert.rejects(client.lock('mutex').ttl(5).acquire(), EtcdLockFailedError);
  await lock.release();
  await client.lock('mutex').do(async () => {});

  const election = client.election('leader', 5);
  const campaign = election.campaign('candidate');
  await once(campaign, 'elected');
  assert.equal(await election.leader(), 'candidate');
  await campaign.resign();
  assert.equal(await election.leader(), undefined);
}

async function roles() {
  const role = client.role('reader');
  await role.create();
  await role.grant({ permission: 'Read', range: client.range({ prefix: 'app/' }) });
  const user = client.user('reader');
  await user.create('secret');
  await user.addRole('reader');
  assert.deepEqual((await user.roles()).map((r) => r.name), ['reader']);
  await assert.rejects(client.user('nobody').roles(), EtcdUserNotFoundError);
  const root = client.user('root');
  await root.create('of all');
  await root.addRole('root');
  await client.auth.authEnable();
  const reader = new Etcd3({ hosts, auth: { username: 'reader', password: 'secret' } });
  assert.equal(await reader.get('app/two').string(), '2');
  await assert.rejects(reader.put('app/two').value('3'), /permission denied/);
  reader.close();
  const admin = new Etcd3({ hosts, auth: { username: 'root', password: 'of all' } });
  await admin.auth.authDisable();
  admin.close();
}

for (const part of [keys, transactions, watches, leases, locksAndElections, roles]) {
  await part();
  console.log(`${part.name}: as with etcd`);
}
client.close();
