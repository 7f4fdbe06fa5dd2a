"""PostgreSQL functions and triggers that the policies of `policies` need.

Functions that read rows hidden from their caller run as the owner of the database, use a fixed search path that users
cannot change, and return only yes or no.
"""

from __future__ import annotations

#: Lets the user who executes a run record why it stopped, even after losing other rights.
STOP_RUN = "public.ci_magics_stop_run(text,text,text[])"

#: By signature; `{administrator}` is a placeholder for the role of administrators.
_FUNCTIONS = {
    "ci_magics_may_use_file(text, text)": """
        CREATE OR REPLACE FUNCTION public.ci_magics_may_use_file(folder text, file text) RETURNS boolean
        LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
            SELECT pg_has_role(session_user, {administrator}, 'MEMBER') OR CASE folder
                WHEN 'segments' THEN true
                WHEN 'ledgers' THEN NOT EXISTS (
                    SELECT FROM public.audiences a
                    WHERE a.id || '.parquet' = file AND (a.environment, a.account_id) NOT IN (
                        SELECT s.environment, s.account_id FROM public.shared_connections s))
                WHEN 'spool' THEN NOT EXISTS (
                    SELECT FROM public.pushes p
                    WHERE p.run_id = substring(file FROM '([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})')
                    AND (p.environment, p.account_id) NOT IN (
                        SELECT s.environment, s.account_id FROM public.shared_connections s))
                ELSE false
            END
        $$""",
    "ci_magics_may_change_file(text, text)": """
        CREATE OR REPLACE FUNCTION public.ci_magics_may_change_file(folder text, file text) RETURNS boolean
        LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
            SELECT pg_has_role(session_user, {administrator}, 'MEMBER')
                OR public.ci_magics_may_use_file(folder, file) AND NOT (
                    folder = 'segments' AND EXISTS (
                        SELECT FROM public.segments g WHERE g.suppresses AND g.id || '.parquet' = file))
        $$""",
    "ci_magics_may_use_content(text)": """
        CREATE OR REPLACE FUNCTION public.ci_magics_may_use_content(content text) RETURNS boolean
        LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
            SELECT NOT EXISTS (
                SELECT FROM public.files f
                WHERE f.content_id = content AND NOT public.ci_magics_may_use_file(f.folder, f.name))
        $$""",
    "ci_magics_stop_run(text, text, text[])": """
        CREATE OR REPLACE FUNCTION public.ci_magics_stop_run(run text, why text, kept_back text[]) RETURNS boolean
        LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
        BEGIN
            IF NOT EXISTS (
                SELECT FROM public.locks l JOIN public.pushes p
                ON l.name = p.environment || ':' || p.account_id || ':' || p.audience_key
                WHERE l.holder = session_user AND l.run_id = run AND p.run_id = run)
            THEN
                RETURN false;
            END IF;
            UPDATE public.steps SET state = 'planned', request_id = ''
                WHERE id = ANY (kept_back) AND state = 'sent' AND NOT maybe
                AND push_id IN (SELECT p.id FROM public.pushes p WHERE p.run_id = run AND NOT p.finished);
            UPDATE public.runs r SET results = (
                SELECT json_agg(CASE
                    WHEN place - 1 IN (SELECT p.number FROM public.pushes p WHERE p.run_id = run AND NOT p.finished)
                    THEN (result::jsonb || jsonb_build_object('status', 'Failed', 'message', why))::json
                    ELSE result END ORDER BY place)
                FROM json_array_elements(r.results) WITH ORDINALITY AS each(result, place))
                WHERE r.id = run AND r.finished_at IS NULL;
            DELETE FROM public.locks WHERE run_id = run AND holder = session_user;
            RETURN true;
        END $$""",
    "ci_magics_is_owner(oid)": """
        CREATE OR REPLACE FUNCTION public.ci_magics_is_owner(of_table oid) RETURNS boolean
        LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp AS $$
            SELECT pg_has_role(session_user, relowner, 'USAGE') FROM pg_class WHERE oid = of_table
        $$""",
    "ci_magics_entry_is_now()": """
        CREATE OR REPLACE FUNCTION public.ci_magics_entry_is_now() RETURNS trigger
        LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
        BEGIN
            NEW.at := clock_timestamp();
            IF NOT public.ci_magics_is_owner(TG_RELID) THEN NEW."user" := session_user; END IF;
            RETURN NEW;
        END $$""",
    "ci_magics_author()": """
        CREATE OR REPLACE FUNCTION public.ci_magics_author() RETURNS trigger
        LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
        DECLARE
            said text := to_jsonb(NEW) ->> TG_ARGV[0];
        BEGIN
            IF public.ci_magics_is_owner(TG_RELID) OR TG_OP = 'UPDATE' AND to_jsonb(NEW) = to_jsonb(OLD) THEN
                RETURN NEW;
            END IF;
            IF TG_OP = 'UPDATE' AND TG_ARGV[1] = 'first' THEN
                IF said = to_jsonb(OLD) ->> TG_ARGV[0] THEN RETURN NEW; END IF;
            ELSIF said = session_user THEN
                RETURN NEW;
            END IF;
            RAISE EXCEPTION USING ERRCODE = 'insufficient_privilege', MESSAGE = 'only in your own name';
        END $$""",
    "ci_magics_suppression()": """
        CREATE OR REPLACE FUNCTION public.ci_magics_suppression() RETURNS trigger
        LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
        BEGIN
            IF pg_has_role(session_user, {administrator}, 'MEMBER') OR public.ci_magics_is_owner(TG_RELID) THEN
                NULL;
            ELSIF (CASE TG_OP
                WHEN 'INSERT' THEN NEW.suppresses
                WHEN 'DELETE' THEN OLD.suppresses
                ELSE OLD.suppresses <> NEW.suppresses OR OLD.suppresses AND (
                    to_jsonb(OLD.definition) <> to_jsonb(NEW.definition)
                    OR OLD.id <> NEW.id AND OLD.definition ->> 'source' IS NULL)
                END)
            THEN
                RAISE EXCEPTION USING
                    ERRCODE = 'insufficient_privilege', MESSAGE = 'only administrators choose who is suppressed';
            END IF;
            IF TG_OP = 'DELETE' THEN RETURN OLD; END IF;
            RETURN NEW;
        END $$""",
}

#: Columns with the user who did something: set on each change, or on the first one only.
_AUTHORS = {
    "exports": ("saved_by", "each"),
    "export_runs": ("started_by", "first"),
    "refreshes": ("started_by", "first"),
    "runs": ("started_by", "first"),
}


def functions(administrator: str) -> dict[str, str]:
    """Return the statements that create the functions, by signature.

    Parameters
    ----------
    administrator
        The database role of administrators, as a literal.
    """
    return {signature: made.replace("{administrator}", administrator) for signature, made in _FUNCTIONS.items()}


def triggers() -> dict[tuple[str, str], str]:
    """Return the statements that create the triggers, by table and name."""
    made = {
        ("audit_entries", "ci_magics_now"): "BEFORE INSERT ON {0} FOR EACH ROW EXECUTE FUNCTION {1}entry_is_now()",
        ("segments", "ci_magics_suppression"): (
            "BEFORE INSERT OR UPDATE OR DELETE ON {0} FOR EACH ROW EXECUTE FUNCTION {1}suppression()"
        ),
    }
    for table, (column, when) in _AUTHORS.items():
        made[table, "ci_magics_author"] = (
            f"BEFORE INSERT OR UPDATE ON {{0}} FOR EACH ROW EXECUTE FUNCTION {{1}}author('{column}', '{when}')"
        )
    return {
        (table, name): f"CREATE OR REPLACE TRIGGER {name} {rest.format(f'public.{table}', 'public.ci_magics_')}"
        for (table, name), rest in made.items()
    }
