package zkroot

import (
	"encoding/json"
	"fmt"

	"github.com/zkine/zkine/revision"
)

// MemberRecord is the data of <root>/members/<name>.
type MemberRecord struct {
	revision.Member
	Incarnation Incarnation `json:"incarnation"`
	// Answers says that the holder answers challenges: releases before this one
	// do not.
	Answers bool `json:"answers_challenges,omitempty"`
	// Challenge is what a claimant of the name has asked; the holder makes it
	// its Answer.
	Challenge string `json:"challenge,omitempty"`
	Answer    string `json:"answer,omitempty"`
}

// ParseMember reads a member's record.
func ParseMember(data []byte) (record MemberRecord, err error) {
	if len(data) > maxMemberRecord {
		return record, fmt.Errorf("%w: a member's record of %d bytes", revision.ErrForeignRoot, len(data))
	}
	err = json.Unmarshal(data, &record)
	return record, err
}

// MemberAt is parseMember for a member's znode. Error: ErrForeignRoot.
func MemberAt(path string, data []byte) (MemberRecord, error) {
	record, err := ParseMember(data)
	if err != nil {
		return record, fmt.Errorf("%w: %s is not a member record; remove it", revision.ErrForeignRoot, path)
	}
	return record, nil
}
