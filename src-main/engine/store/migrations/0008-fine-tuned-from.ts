import type { Migration } from './migration.ts';

/**
 * What a backbone was fine-tuned from becomes a field of its card. Cards of older versions only tell it in words, by name
 * or by the beginning of its hash; the longest name that is said counts, since that of a backbone may begin another's.
 */
export const fineTunedFrom: Migration = {
  version: 8,
  readableFrom: 5,
  sql: `
CREATE TEMP TABLE told AS
SELECT id, name, json_extract(card_json, '$.architecture') AS architecture,
  coalesce(json_extract(card_json, '$.method'), '') || ' ' || coalesce(json_extract(card_json, '$.source'), '') AS said
FROM backbone;
CREATE TEMP TABLE origin AS
SELECT told.id AS id, (
  SELECT other.id FROM told AS other
  WHERE other.id <> told.id AND other.architecture IS told.architecture
    AND (instr(told.said, other.name) > 0 OR instr(told.said, substr(other.id, 1, 12)) > 0)
  ORDER BY length(other.name) DESC LIMIT 1
) AS origin_id
FROM told
WHERE lower(replace(told.said, '-', ' ')) LIKE '%fine tuned%' OR lower(told.said) LIKE '%finetuned%';
UPDATE backbone SET card_json = json_set(
  card_json, '$.fineTunedFrom', (SELECT origin_id FROM origin WHERE origin.id = backbone.id)
)
WHERE json_extract(card_json, '$.tuned') IS NULL
  AND id IN (SELECT id FROM origin WHERE origin_id IS NOT NULL);
DROP TABLE origin;
DROP TABLE told;
`,
};
