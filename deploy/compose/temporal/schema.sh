#!/bin/sh
# Brings both of Temporal's databases to the schema of these admin tools. What is up to date stays.
set -eu

migrate() {
	temporal-sql-tool --plugin postgres12 --ep postgres -p 5432 -u temporal --db "$1" setup-schema -v 0.0
	temporal-sql-tool --plugin postgres12 --ep postgres -p 5432 -u temporal --db "$1" \
		update-schema --schema-name "postgresql/v12/$2"
}

migrate temporal temporal
migrate temporal_visibility visibility
