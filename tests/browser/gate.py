"""The browser tests of the gate: what `make test` runs. `make test-all` runs all browser tests.

Each test here is the cheapest one that proves its promise through a browser. A promise that does not need a browser is
proved by `node --test` (`tests/js`) or over HTTP instead. A browser test that is not here is marked `extended`.

A name without brackets stands for all cases of a parametrized test.
"""

from __future__ import annotations

GATE = {
    # -- comments: written, shown, changed and deleted, live on both sides
    "test_journey.py": [
        "test_bob_sees_what_alice_does_and_finds_it_after_a_reload[sqlite]",
        "test_a_guest_sees_changes_live_and_cannot_edit",
        "test_alice_sees_her_comment_once_when_the_echo_comes_first",
        "test_alice_sees_her_comment_before_the_server_receives_it",
    ],
    "test_bus.py": ["test_alice_sees_no_change_from_events_that_arrive_twice_or_late"],
    "test_editing.py": [
        "test_alices_open_editor_keeps_its_text_and_cursor_while_others_write",
        "test_alice_sees_the_reason_for_a_refused_comment_and_keeps_its_text",
        "test_alice_posts_a_comment_once_though_the_response_is_lost",
        "test_alice_sees_a_comment_again_after_its_delete_is_refused",
    ],
    "test_thread_pages.py": ["test_alice_loads_earlier_comments_page_by_page_while_others_write"],
    "test_replies.py": [
        "test_alice_and_bob_see_replies_below_their_parents",
        "test_alice_and_a_guest_see_a_deleted_comment_while_it_has_replies",
        "test_alice_sees_an_old_comment_with_a_new_reply",
        "test_alice_can_sort_the_newest_comments_first",
    ],
    "test_deep_links.py": [
        "test_alice_reads_on_from_an_old_comment_in_both_directions_while_others_write",
        "test_alice_is_notified_that_a_linked_comment_no_longer_exists",
    ],
    "test_markdown.py": ["test_alice_sees_her_markdown_as_text_until_the_server_has_rendered_it"],
    "test_xss.py": ["test_alice_reads_hostile_comments_and_no_script_runs"],
    # -- texts: no text is lost, and none is overwritten unseen
    "test_writing.py": [
        "test_alice_posts_a_comment_without_scripts",
        "test_alice_posts_before_the_script_runs_and_her_comment_exists_once",
        "test_alice_sees_an_error_beside_the_field_for_a_blank_comment",
        "test_alice_cannot_write_or_reply_while_comments_are_closed",
        "test_alice_completes_names_after_an_at_sign",
    ],
    "test_without_scripts.py": [
        "test_alice_follows_links_to_older_comments_with_scripts_switched_off",
        "test_alice_posts_though_the_script_fails_and_sees_no_button_without_effect",
        "test_alice_reads_a_live_page_of_older_comments",
    ],
    "test_drafts.py": [
        "test_alice_finds_her_draft_after_a_reload",
        "test_alice_has_a_draft_in_each_of_two_tabs",
        "test_alice_is_asked_before_signing_out_deletes_her_drafts",
        "test_alice_finds_her_editor_open_after_a_reload",
        "test_a_guest_keeps_a_draft_in_the_page_while_the_storage_is_full",
    ],
    "test_edit_conflicts.py": [
        "test_alice_merges_two_changes_that_do_not_overlap",
        "test_alice_chooses_between_two_changes_that_overlap",
        "test_alice_merges_a_refused_edit_with_the_change_that_caused_the_refusal",
    ],
    "test_orphaned_edits.py": ["test_alice_finds_her_text_after_a_reload_and_in_all_tabs"],
    "test_undo_delete.py": [
        "test_alice_undoes_a_delete_and_bob_sees_no_change",
        "test_alices_delete_is_sent_at_once_when_she_leaves_the_page[closed-settings0]",
    ],
    # -- the outbox: each change arrives once, in order, whatever happens on the way
    "test_offline.py": [
        "test_alice_reloads_while_she_is_offline",
    ],
    "test_network_faults.py": [
        "test_alices_change_that_is_sent_five_times_takes_effect_once[POST-nor any echo]",
        "test_alice_deletes_a_comment_without_a_response_for_good[True]",
        "test_alice_polls_behind_a_proxy_that_buffers",
        "test_alice_writes_during_ten_seconds_of_502_responses",
        "test_alice_opens_her_laptop_after_an_hour_of_sleep[silent]",
    ],
    "test_late_responses.py": [
        "test_alice_keeps_a_later_change_when_the_response_to_her_post_arrives_late[delete_on_phone]",
        "test_alice_keeps_a_later_change_when_a_snapshot_arrives_late[delete_on_phone]",
    ],
    "test_without_storage.py": [
        "test_alice_can_write_in_a_browser_without_storage_while_the_page_is_open[open throws]"
    ],
    "test_concurrent_changes.py": [
        "test_alice_posts_once_a_comment_that_is_being_sent_when_she_signs_out[True]",
        "test_alice_sees_what_another_tab_saved_before_she_overwrites_it",
        "test_alices_stored_change_is_sent_by_the_next_leader",
        "test_alices_last_edit_is_not_confirmed_by_the_echo_of_an_earlier_one",
        "test_alice_uses_a_browser_that_refuses_locks_without_repeated_requests",
    ],
    "test_likes.py": [
        "test_bob_sees_that_alice_likes_what_carol_wrote",
        "test_alices_like_survives_a_reload_and_a_lost_response",
    ],
    "test_commentable.py": [
        "test_alice_sees_the_exact_count_though_not_all_comments_are_loaded",
        "test_a_guest_sees_the_counts_on_the_front_page_change",
    ],
    # -- the stream: one for all tabs, and nothing is missed
    "test_stream_leader.py": [
        "test_alice_loses_the_leading_tab_in_three_ways",
        "test_alices_visible_tab_replaces_a_leader_that_hangs",
        "test_alices_tabs_each_have_their_own_cursor",
        "test_alice_has_one_stream_for_each_tab_without_web_locks[locks and channels]",
    ],
    "test_reconnecting.py": [
        "test_alice_catches_up_with_ten_changes_without_a_snapshot[torn]",
        "test_alices_page_fetches_a_snapshot_after_an_invalid_cursor",
        "test_alice_and_bob_reconnect_to_a_restarted_server",
        "test_alices_silent_stream_is_replaced",
    ],
    "test_stream_address.py": ["test_alices_thread_stays_live_while_another_page_shows_85_counts[a stricter one]"],
    "test_presence.py": [
        "test_alice_and_bob_see_each_other_and_who_types",
        "test_bob_sees_no_change_of_presence_when_he_reconnects",
        "test_alice_sees_presence_in_one_line_on_a_phone",
    ],
    "test_notifications.py": [
        "test_alice_reads_a_notification_in_one_tab_and_it_is_read_everywhere",
        "test_alice_reads_a_reply_in_its_thread_and_it_is_read_everywhere",
        "test_alice_uses_the_bell_with_the_keyboard_alone",
        "test_alice_marks_notifications_read_offline_and_each_mark_is_sent_once",
        "test_alice_and_bob_see_their_own_bell_in_one_browser",
    ],
    "test_service_worker.py": [
        "test_alice_reloads_without_a_connection_and_continues_when_it_is_back",
        "test_alice_does_not_see_pages_of_another_release",
        "test_alice_leaves_no_stored_page_when_she_signs_out",
        "test_bob_cannot_open_offline_what_alice_has_read",
    ],
    # -- people: accounts and logins, in all tabs and browsers
    "test_sign_in.py": [
        "test_a_guests_comment_is_posted_after_signing_in",
        "test_a_guest_sees_each_error_beside_its_field",
        "test_alice_signs_out_in_one_tab_and_the_other_shows_it",
        "test_alice_writes_after_her_login_ended_and_the_comment_is_sent_later",
    ],
    "test_ended_logins.py": [
        "test_alice_is_signed_out_after_her_password_changed_on_another_device",
        "test_bob_who_signs_in_in_another_tab_replaces_alice_in_this_one",
        "test_alice_is_not_signed_in_by_a_response_that_arrives_after_she_signed_out",
    ],
    "test_two_accounts.py": [
        "test_alices_unsent_changes_are_never_sent_as_bobs",
        "test_alices_request_with_bobs_cookie_is_refused_and_sent_later",
    ],
    "test_mailed_links.py": [
        "test_alice_chooses_a_new_password_after_she_forgot_the_old_one",
        "test_alice_confirms_her_address_before_she_can_sign_in",
    ],
    "test_account_page.py": [
        "test_a_new_password_signs_alice_out_of_all_other_browsers",
        "test_alice_can_sign_out_another_browser",
        "test_alice_copies_and_replaces_the_address_of_her_atom_feed",
        "test_alice_decides_about_her_comments_when_she_deletes_her_account[keep-left0]",
    ],
    "test_reply_mail.py": [
        "test_alice_chooses_by_keyboard_when_she_gets_mail_and_her_other_tab_shows_it",
        "test_carol_stops_mail_by_keyboard_without_scripts_and_without_signing_in",
    ],
    "test_following.py": [
        "test_alice_follows_and_mutes_a_conversation_by_keyboard",
        "test_alice_unfollows_and_unmutes_by_keyboard_on_her_account_page",
    ],
    "test_moderation.py": [
        "test_a_moderator_hides_a_comment_and_only_its_author_and_moderators_see_it",
        "test_two_moderators_see_the_queue_change_live",
        "test_olga_chooses_mail_by_keyboard_and_only_moderators_see_the_choices",
        "test_alice_is_notified_that_she_is_blocked_and_can_still_read",
    ],
    # -- layout, accessibility and embedding
    "test_connection_status.py": [
        "test_alice_sees_no_status_until_the_stream_was_lost_for_three_seconds",
        "test_alice_sees_the_status_of_a_real_connection_that_is_lost_and_restored",
    ],
    "test_collapsed_readers.py": [
        "test_a_guest_sees_changes_live_without_a_stream_and_gets_one_after_signing_in",
    ],
    "test_new_comments_pill.py": ["test_alice_follows_the_pill_to_new_comments_below"],
    "test_layout_stability.py": [
        "test_alice_sees_no_jump_while_comments_arrive_and_grow_and_disappear[no-preference]",
        "test_alice_types_on_in_the_same_place_while_comments_change",
        "test_alice_sees_no_jump_when_the_status_and_the_pill_and_the_notice_appear[viewport0-/Article/1]",
    ],
    "test_comment_layout.py": [
        "test_alice_sees_long_and_stacked_and_hebrew_comments_inside_their_edges",
        "test_alice_has_room_for_replies_and_fingertips_on_a_phone",
    ],
    "test_layout.py": [
        "test_a_thread_fits_on_the_small_phone_of_a_person_with_a_long_name[light]",
        "test_a_guest_can_do_everything_with_the_keyboard_alone",
    ],
    "test_accessibility.py": ["test_a_moderator_finds_no_accessibility_errors_in_a_thread_and_its_dialogs[dark]"],
    "test_hello.py": [
        "test_a_reader_has_at_most_forty_lines_to_type",
        "test_a_reader_of_the_page_sees_a_conversation_change",
    ],
    "test_embedding.py": [
        "test_alice_and_bob_talk_on_a_host_page_and_carol_in_parley",
        "test_alice_has_one_stream_for_all_threads_in_all_her_tabs",
        "test_alice_sees_live_counts_over_one_stream_of_the_host_page",
        "test_alice_loads_a_thread_by_scrolling_near_it",
        "test_alice_and_bob_see_the_same_thread_whatever_the_style_of_the_host_page",
        "test_alice_sees_the_whole_thread_without_scrolling_in_the_frame",
        "test_alice_follows_addresses_of_comments_on_the_host_page",
        "test_a_guest_on_a_page_that_is_not_listed_gets_a_link_and_the_console_says_why",
    ],
    "test_prefix.py": ["test_alice_and_bob_use_parley_behind_a_prefix"],
    # -- loading of code
    "test_lazy_loading.py": [
        "test_alice_writes_and_sees_bobs_comment_without_any_lazy_code",
        "test_a_guest_can_open_a_form_again_after_its_code_failed_to_load",
    ],
    "test_upgrades.py": ["test_a_guests_page_reloads_after_an_upgrade_and_keeps_the_text"],
    "test_docs_page.py": ["test_a_guest_opens_an_operation_by_its_link_and_closes_it_by_keyboard"],
    "test_plain_models.py": ["test_a_developer_gets_the_same_behaviour_with_our_overrides"],
    "test_gate.py": [
        "test_the_gate_lists_existing_tests_only",
        "test_each_row_of_the_table_in_the_docs_has_a_test_in_the_gate",
    ],
}
"""The names of the gate's tests, by module."""

WITHOUT_GATE = ["test_other_browsers.py", "test_upstream.py"]
"""Modules that docs/browser.md lists and only `make test-all` runs: they need software that not every machine has."""


def is_in_gate(module: str, name: str) -> bool:
    names = GATE.get(module, [])
    return name in names or name.partition("[")[0] in names
