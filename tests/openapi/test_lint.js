// docs/openapi.yaml by the rules of OpenAPI 3.1, and by some of our own.
import assert from 'node:assert/strict';
import path from 'node:path';

let Validator;
try {
  ({Validator} = await import('@seriousme/openapi-schema-validator'));
} catch {
  console.log('[ RUN      ] lint\n[  SKIPPED ] lint\nskipped: its packages are not here; run: (cd tests/openapi && npm ci)');
  process.exit(77);
}

const validator = new Validator();
const steps = {
  async the_document_is_valid() {
    const result = await validator.validate(path.join(process.env.FACEGATE_SOURCE, 'docs/openapi.yaml'));
    assert.ok(result.valid, JSON.stringify(result.errors, null, 1));
    assert.equal(validator.version, '3.1');
  },

  async a_broken_one_is_not() {
    const broken = structuredClone(validator.specification);
    broken.paths['/api/v1/members'].get.responses['200'] = {content: {}};
    assert.equal((await new Validator().validate(broken)).valid, false);
  },

  async every_operation_says_what_it_does() {
    for (const [address, item] of Object.entries(validator.specification.paths)) {
      const named = [...address.matchAll(/\{(\w+)\}/g)].map(m => m[1]);
      const given = (item.parameters || []).map(p => p.$ref ? p.$ref.split('/').pop() : p.name);
      assert.deepEqual(given, named, `${address}: its parameters`);
      for (const [method, operation] of Object.entries(item)) {
        if (method === 'parameters') continue;
        const what = `${method} ${address}`;
        assert.ok(operation.summary && operation.summary.length < 80, `${what}: a summary`);
        assert.ok(operation.tags?.length === 1 && validator.specification.tags.some(t => t.name === operation.tags[0]), `${what}: a tag`);
        assert.ok(Object.keys(operation.responses).some(s => s < '400'), `${what}: an answer that is no error`);
      }
    }
  },
};

let failed = 0;
for (const [name, step] of Object.entries(steps)) {
  console.log(`[ RUN      ] ${name}`);
  try {
    await step();
    console.log(`[       OK ] ${name}`);
  } catch (error) {
    failed++;
    console.log(`[  FAILED  ] ${name}\n${error.stack}`);
  }
}
process.exit(failed ? 1 : 0);
