-- A ledger of schema 3 with events, written by the Outlay of then, as pg_dump --inserts shows it.

SELECT pg_catalog.set_config('search_path', '', false);
CREATE TABLE public.ledger_identity (
    ledger_id text NOT NULL,
    schema_version bigint NOT NULL,
    created_at_us bigint NOT NULL,
    rewrites bigint DEFAULT 0 NOT NULL
);
CREATE TABLE public.node (
    node_id text NOT NULL,
    seen_at timestamp with time zone NOT NULL
);
CREATE TABLE public.request_intent (
    organization_id text NOT NULL,
    event_id text NOT NULL,
    begun bytea NOT NULL,
    node_id text NOT NULL
);
ALTER TABLE ONLY public.request_intent FORCE ROW LEVEL SECURITY;
CREATE TABLE public.spend_counter (
    counter_id bigint NOT NULL,
    organization_id text NOT NULL,
    scope text NOT NULL,
    scope_id text NOT NULL,
    start_us bigint NOT NULL,
    end_us bigint NOT NULL,
    spent_pusd numeric NOT NULL
);
ALTER TABLE ONLY public.spend_counter FORCE ROW LEVEL SECURITY;
ALTER TABLE public.spend_counter ALTER COLUMN counter_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.spend_counter_counter_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.spend_hold (
    organization_id text NOT NULL,
    event_id text NOT NULL,
    counter_id bigint NOT NULL,
    amount_pusd bigint NOT NULL
);
ALTER TABLE ONLY public.spend_hold FORCE ROW LEVEL SECURITY;
CREATE TABLE public.usage_batch (
    batch_id bigint NOT NULL,
    first_seq bigint NOT NULL,
    last_seq bigint NOT NULL,
    recorded_at_us bigint NOT NULL,
    checksum bytea NOT NULL,
    row_width bigint DEFAULT 38 NOT NULL,
    restated bytea,
    CONSTRAINT usage_batch_check CHECK ((last_seq >= first_seq))
);
CREATE TABLE public.usage_conflict (
    conflict_id bigint NOT NULL,
    recorded_at_us bigint NOT NULL,
    organization_id text NOT NULL,
    event_id text NOT NULL,
    recorded_digest bytea NOT NULL,
    offered_digest bytea NOT NULL,
    offered_facts text NOT NULL
);
ALTER TABLE ONLY public.usage_conflict FORCE ROW LEVEL SECURITY;
ALTER TABLE public.usage_conflict ALTER COLUMN conflict_id ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.usage_conflict_conflict_id_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);
CREATE TABLE public.usage_event (
    seq bigint NOT NULL,
    recorded_at_us bigint NOT NULL,
    facts_digest bytea NOT NULL,
    event_id text NOT NULL,
    organization_id text NOT NULL,
    event_time_us bigint NOT NULL,
    project_id text NOT NULL,
    api_key_id text NOT NULL,
    end_user text NOT NULL,
    app text NOT NULL,
    provider text NOT NULL,
    mapping text NOT NULL,
    operation text NOT NULL,
    status text NOT NULL,
    usage_source text NOT NULL,
    input_tokens bigint NOT NULL,
    output_tokens bigint NOT NULL,
    cache_read_input_tokens bigint NOT NULL,
    cache_write_input_tokens bigint NOT NULL,
    cache_write_1h_input_tokens bigint NOT NULL,
    reasoning_output_tokens bigint NOT NULL,
    duration_us bigint,
    time_to_first_token_us bigint,
    reported_cost_pusd bigint,
    price_context text NOT NULL,
    source text NOT NULL,
    member_id text NOT NULL,
    user_id text NOT NULL,
    groups text NOT NULL,
    model text NOT NULL,
    adjusted bigint NOT NULL,
    cost_source text NOT NULL,
    cost_pusd bigint NOT NULL,
    input_cost_pusd bigint NOT NULL,
    cache_read_cost_pusd bigint NOT NULL,
    cache_write_cost_pusd bigint NOT NULL,
    output_cost_pusd bigint NOT NULL,
    price_ref text NOT NULL,
    is_stream bigint NOT NULL,
    http_status bigint,
    error_code text NOT NULL,
    response_id text NOT NULL,
    response_model text NOT NULL
)
PARTITION BY RANGE (event_time_us);
ALTER TABLE ONLY public.usage_event FORCE ROW LEVEL SECURITY;
CREATE TABLE public.usage_event_2026_11 (
    seq bigint NOT NULL,
    recorded_at_us bigint NOT NULL,
    facts_digest bytea NOT NULL,
    event_id text NOT NULL,
    organization_id text NOT NULL,
    event_time_us bigint NOT NULL,
    project_id text NOT NULL,
    api_key_id text NOT NULL,
    end_user text NOT NULL,
    app text NOT NULL,
    provider text NOT NULL,
    mapping text NOT NULL,
    operation text NOT NULL,
    status text NOT NULL,
    usage_source text NOT NULL,
    input_tokens bigint NOT NULL,
    output_tokens bigint NOT NULL,
    cache_read_input_tokens bigint NOT NULL,
    cache_write_input_tokens bigint NOT NULL,
    cache_write_1h_input_tokens bigint NOT NULL,
    reasoning_output_tokens bigint NOT NULL,
    duration_us bigint,
    time_to_first_token_us bigint,
    reported_cost_pusd bigint,
    price_context text NOT NULL,
    source text NOT NULL,
    member_id text NOT NULL,
    user_id text NOT NULL,
    groups text NOT NULL,
    model text NOT NULL,
    adjusted bigint NOT NULL,
    cost_source text NOT NULL,
    cost_pusd bigint NOT NULL,
    input_cost_pusd bigint NOT NULL,
    cache_read_cost_pusd bigint NOT NULL,
    cache_write_cost_pusd bigint NOT NULL,
    output_cost_pusd bigint NOT NULL,
    price_ref text NOT NULL,
    is_stream bigint NOT NULL,
    http_status bigint,
    error_code text NOT NULL,
    response_id text NOT NULL,
    response_model text NOT NULL
);
CREATE TABLE public.usage_event_key (
    organization_id text NOT NULL,
    event_id text NOT NULL,
    facts_digest bytea NOT NULL,
    event_time_us bigint NOT NULL
);
ALTER TABLE ONLY public.usage_event_key FORCE ROW LEVEL SECURITY;
ALTER TABLE ONLY public.usage_event ATTACH PARTITION public.usage_event_2026_11 FOR VALUES FROM ('1793491200000000') TO ('1796083200000000');
INSERT INTO public.ledger_identity VALUES ('01a1f8d3-ea00-70b0-b4a7-a10bac4d601c', 3, 1795176000000000, 1);
INSERT INTO public.node VALUES ('node', '2026-11-28 04:46:45.500778+00');
INSERT INTO public.request_intent VALUES ('org_test', 'open-1', '\x90', 'node');
INSERT INTO public.usage_batch VALUES (1, 1, 3, 1795176000000000, '\x1576aadd06016deaf70d0bb58044d742', 43, NULL);
INSERT INTO public.usage_batch VALUES (2, 4, 4, 1795176000000000, '\x29d6a8263b44684cd0f3a4813320439f', 43, '\x3afc84854ad5c0dbc31cad35b2e141c1');
INSERT INTO public.usage_conflict OVERRIDING SYSTEM VALUE VALUES (1, 1795176000000000, 'org_test', 'old-3', '\xe0645120f1f4452b5e4dad11f2f917aa', '\xf91248a9b365986efe3546078436678d', '{"event_time_us":1795175940000000,"project_id":"","api_key_id":"","end_user":"","app":"","provider":"openai","mapping":"openai/gpt-5.5","operation":"chat","status":"ok","usage_source":"provider","input_tokens":99,"output_tokens":0,"cache_read_input_tokens":0,"cache_write_input_tokens":0,"cache_write_1h_input_tokens":0,"reasoning_output_tokens":0,"duration_us":null,"time_to_first_token_us":null,"reported_cost_pusd":null,"price_context":"","source":"native"}');
INSERT INTO public.usage_event_2026_11 VALUES (1, 1795176000000000, '\x3932ae35e30b9d1f0855b92588b3adcf', 'old-0', 'org_test', 1795175940000000, '', '', '', '', 'openai', 'openai/gpt-5.5', 'chat', 'ok', 'provider', 0, 0, 0, 0, 0, 0, NULL, NULL, NULL, '', 'native', '', '', '', 'gpt-5.5', 0, 'unpriced', 1, 0, 0, 0, 0, '', 0, NULL, '', '', '');
INSERT INTO public.usage_event_2026_11 VALUES (2, 1795176000000000, '\x3932ae35e30b9d1f0855b92588b3adcf', 'old-1', 'org_test', 1795175940000000, '', '', '', '', 'openai', 'openai/gpt-5.5', 'chat', 'ok', 'provider', 0, 0, 0, 0, 0, 0, NULL, NULL, NULL, '', 'native', '', '', '', 'gpt-5.5', 0, 'unpriced', 2, 0, 0, 0, 0, '', 0, NULL, '', '', '');
INSERT INTO public.usage_event_2026_11 VALUES (3, 1795176000000000, '\x3932ae35e30b9d1f0855b92588b3adcf', 'old-2', 'org_test', 1795175940000000, '', '', '', '', 'openai', 'openai/gpt-5.5', 'chat', 'ok', 'provider', 0, 0, 0, 0, 0, 0, NULL, NULL, NULL, '', 'native', '', '', '', 'gpt-5.5', 0, 'unpriced', 3, 0, 0, 0, 0, '', 0, NULL, '', '', '');
INSERT INTO public.usage_event_2026_11 VALUES (4, 1795176000000000, '\xe0645120f1f4452b5e4dad11f2f917aa', 'old-3', 'org_test', 1795175940000000, '', '', 'gone_1', '', 'openai', 'openai/gpt-5.5', 'chat', 'ok', 'provider', 0, 0, 0, 0, 0, 0, NULL, NULL, NULL, '', 'native', '', '', '', 'gpt-5.5', 0, 'unpriced', 7, 0, 0, 0, 0, '', 0, 200, '', 'resp_1', '');
INSERT INTO public.usage_event_key VALUES ('org_test', 'old-0', '\x3932ae35e30b9d1f0855b92588b3adcf', 1795175940000000);
INSERT INTO public.usage_event_key VALUES ('org_test', 'old-1', '\x3932ae35e30b9d1f0855b92588b3adcf', 1795175940000000);
INSERT INTO public.usage_event_key VALUES ('org_test', 'old-2', '\x3932ae35e30b9d1f0855b92588b3adcf', 1795175940000000);
INSERT INTO public.usage_event_key VALUES ('org_test', 'old-3', '\xe0645120f1f4452b5e4dad11f2f917aa', 1795175940000000);
SELECT pg_catalog.setval('public.spend_counter_counter_id_seq', 1, false);
SELECT pg_catalog.setval('public.usage_conflict_conflict_id_seq', 1, true);
ALTER TABLE ONLY public.ledger_identity
    ADD CONSTRAINT ledger_identity_pkey PRIMARY KEY (ledger_id);
ALTER TABLE ONLY public.node
    ADD CONSTRAINT node_pkey PRIMARY KEY (node_id);
ALTER TABLE ONLY public.request_intent
    ADD CONSTRAINT request_intent_pkey PRIMARY KEY (organization_id, event_id);
ALTER TABLE ONLY public.spend_counter
    ADD CONSTRAINT spend_counter_organization_id_scope_scope_id_start_us_end_u_key UNIQUE (organization_id, scope, scope_id, start_us, end_us);
ALTER TABLE ONLY public.spend_counter
    ADD CONSTRAINT spend_counter_pkey PRIMARY KEY (counter_id);
ALTER TABLE ONLY public.spend_hold
    ADD CONSTRAINT spend_hold_pkey PRIMARY KEY (organization_id, event_id, counter_id);
ALTER TABLE ONLY public.usage_batch
    ADD CONSTRAINT usage_batch_pkey PRIMARY KEY (batch_id);
ALTER TABLE ONLY public.usage_conflict
    ADD CONSTRAINT usage_conflict_pkey PRIMARY KEY (conflict_id);
ALTER TABLE ONLY public.usage_event
    ADD CONSTRAINT usage_event_pkey PRIMARY KEY (seq, event_time_us);
ALTER TABLE ONLY public.usage_event_2026_11
    ADD CONSTRAINT usage_event_2026_11_pkey PRIMARY KEY (seq, event_time_us);
ALTER TABLE ONLY public.usage_event_key
    ADD CONSTRAINT usage_event_key_pkey PRIMARY KEY (organization_id, event_id);
CREATE INDEX request_intent_node ON public.request_intent USING btree (node_id);
CREATE INDEX spend_hold_counter ON public.spend_hold USING btree (counter_id);
CREATE UNIQUE INDEX usage_batch_first_seq ON public.usage_batch USING btree (first_seq);
CREATE INDEX usage_event_time ON ONLY public.usage_event USING btree (organization_id, event_time_us);
CREATE INDEX usage_event_2026_11_organization_id_event_time_us_idx ON public.usage_event_2026_11 USING btree (organization_id, event_time_us);
ALTER INDEX public.usage_event_time ATTACH PARTITION public.usage_event_2026_11_organization_id_event_time_us_idx;
ALTER INDEX public.usage_event_pkey ATTACH PARTITION public.usage_event_2026_11_pkey;
ALTER TABLE ONLY public.spend_hold
    ADD CONSTRAINT spend_hold_counter_id_fkey FOREIGN KEY (counter_id) REFERENCES public.spend_counter(counter_id) ON DELETE CASCADE;
ALTER TABLE ONLY public.spend_hold
    ADD CONSTRAINT spend_hold_organization_id_event_id_fkey FOREIGN KEY (organization_id, event_id) REFERENCES public.request_intent(organization_id, event_id) ON DELETE CASCADE;
ALTER TABLE public.request_intent ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.spend_counter ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.spend_hold ENABLE ROW LEVEL SECURITY;
CREATE POLICY tenant ON public.request_intent USING (((organization_id = current_setting('outlay.organization'::text, true)) OR (current_setting('outlay.organization'::text, true) = '*'::text)));
CREATE POLICY tenant ON public.spend_counter USING (((organization_id = current_setting('outlay.organization'::text, true)) OR (current_setting('outlay.organization'::text, true) = '*'::text)));
CREATE POLICY tenant ON public.spend_hold USING (((organization_id = current_setting('outlay.organization'::text, true)) OR (current_setting('outlay.organization'::text, true) = '*'::text)));
CREATE POLICY tenant ON public.usage_conflict USING (((organization_id = current_setting('outlay.organization'::text, true)) OR (current_setting('outlay.organization'::text, true) = '*'::text)));
CREATE POLICY tenant ON public.usage_event USING (((organization_id = current_setting('outlay.organization'::text, true)) OR (current_setting('outlay.organization'::text, true) = '*'::text)));
CREATE POLICY tenant ON public.usage_event_key USING (((organization_id = current_setting('outlay.organization'::text, true)) OR (current_setting('outlay.organization'::text, true) = '*'::text)));
ALTER TABLE public.usage_conflict ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.usage_event ENABLE ROW LEVEL SECURITY;
ALTER TABLE public.usage_event_key ENABLE ROW LEVEL SECURITY;
