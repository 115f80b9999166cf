CREATE TABLE lending_items (
    id VARCHAR(36) NOT NULL PRIMARY KEY,
    asset_tag VARCHAR(32) NOT NULL UNIQUE,
    name VARCHAR(120) NOT NULL,
    kind VARCHAR(40) NOT NULL,
    status VARCHAR(16) NOT NULL
);

CREATE TABLE lending_loans (
    id VARCHAR(36) NOT NULL PRIMARY KEY,
    item VARCHAR(36) NOT NULL REFERENCES lending_items (id),
    borrower BIGINT NOT NULL,
    lent_on DATE NOT NULL,
    due_on DATE NOT NULL,
    note VARCHAR(200),
    status VARCHAR(16) NOT NULL
);

CREATE TABLE lending_log (
    id VARCHAR(36) NOT NULL PRIMARY KEY,
    day DATE NOT NULL,
    who BIGINT,
    what VARCHAR(16) NOT NULL,
    item VARCHAR(36) NOT NULL
);
